package transfer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"marcador/store"
)

// prefix identifies the beginning of an input: it is a hash of all points without a key so far, in
// their order. Such points are written under a key made of the prefix before them and the prefix
// after them. A later import of the same input computes the same prefixes, and so finds the points
// again.
type prefix [16]byte

// noPrefix is the prefix before the first points.
var noPrefix prefix

func (p prefix) String() string { return hex.EncodeToString(p[:]) }

// after returns the prefix after the next record.
func (p prefix) after(next *pending) prefix {
	b := append(make([]byte, 0, 256), p[:]...)
	b = append(b, next.writtenID...) // the id as it stands in the file
	b = append(b, 0)                 // no text contains a zero
	b = strconv.AppendInt(b, next.XP, 10)
	b = append(b, 0)
	b = strconv.AppendInt(b, next.MLCoins, 10)
	b = append(b, 0)
	b = append(b, next.Reason...)
	b = append(b, 0)
	if next.At != "" {
		b = strconv.AppendInt(b, timeOf(next.At).UnixMilli(), 10)
	}
	sum := sha256.Sum256(b)
	return prefix(sum[:len(p)])
}

// batch has points that one transaction writes.
type batch struct {
	writes []store.Write
	lines  []int // the lines of the updates in writes
	there  int64 // rows without a key that the database has already
}

func (b *batch) add(caller, key string, rows []pending) {
	w := store.Write{Caller: caller, Key: key}
	for n := range rows {
		w.Updates = append(w.Updates, rows[n].update())
		b.lines = append(b.lines, rows[n].line)
	}
	b.writes = append(b.writes, w)
}

// addPoints writes the pending points. It leaves out points without a key that the database has
// already.
func (i *importer) addPoints(ctx context.Context) error {
	var b batch
	for rows := i.pending; len(rows) > 0; {
		n := run(rows)
		if rows[0].Key != "" {
			b.add(rows[0].Caller, rows[0].Key, rows[:n])
		} else if err := i.addUnkeyed(ctx, rows[:n], &b); err != nil {
			return err
		}
		rows = rows[n:]
	}
	return i.writePoints(ctx, &b)
}

// drop removes the write that has the update from the batch. If the update has no key in the input,
// so that the write is one of the import's own, drop removes the update alone.
func (b *batch) drop(update int) {
	first := 0
	for n := range b.writes {
		w := &b.writes[n]
		next := first + len(w.Updates)
		if update >= next {
			first = next
			continue
		}
		if store.IsImportKey(w.Key) && len(w.Updates) > 1 {
			w.Updates = slices.Delete(w.Updates, update-first, update-first+1)
			b.lines = slices.Delete(b.lines, update, update+1)
			return
		}
		b.writes = slices.Delete(b.writes, n, n+1)
		b.lines = slices.Delete(b.lines, first, next)
		return
	}
}

// try writes the points of the batch. In a rehearsal it collects the refusals and tries again
// without the refused points.
func (i *importer) try(ctx context.Context, b *batch) ([]*store.Points, error) {
	for {
		done, err := i.store.AddPoints(ctx, b.writes)
		refusal, ok := errors.AsType[*store.Error](err)
		if err = refused(err, b.lines, nil); !ok || i.checker == nil {
			return done, err
		}
		if err := i.checker.collect(err); err != nil {
			return nil, err
		}
		if b.drop(refusal.Index); len(b.writes) == 0 || i.checker.faults.full() {
			return nil, nil
		}
	}
}

// writePoints writes and counts the points of the batch, and empties it.
func (i *importer) writePoints(ctx context.Context, b *batch) error {
	if len(b.writes) > 0 {
		last := i.store.Seq()
		done, err := i.try(ctx, b)
		if err != nil {
			return err
		}
		for _, p := range done {
			if p.Seq > last {
				i.counts.Points++
				last = p.Seq
				continue
			}
			i.counts.Already++ // from an earlier import, or from earlier in this input
			if p.Seq <= i.before.seq {
				i.known = max(i.known, p.Seq)
			}
		}
	}
	i.counts.Already += b.there
	*b = batch{}
	return nil
}

// run returns how many rows, from the first on, belong together: the rows of one key, or all rows
// before the next key. If rows of a key are missing, which is a fault, run returns fewer.
func run(rows []pending) int {
	most := len(rows)
	if rows[0].Key != "" {
		most = min(int(max(rows[0].Rows, 1)), most)
	}
	n := 1
	for n < most && rows[n].Key == "" {
		n++
	}
	return n
}

// addUnkeyed adds rows without a key to the batch. It leaves out rows that the database has
// already.
func (i *importer) addUnkeyed(ctx context.Context, rows []pending, b *batch) error {
	prefixes := make([]prefix, len(rows))
	next := i.prefix
	for n := range rows {
		next = next.after(&rows[n])
		prefixes[n] = next
	}
	for len(rows) > 0 {
		known, err := i.store.Imported(ctx, i.prefix.String())
		if err != nil {
			return err
		}
		there := 0
		for n := range min(len(rows), len(known)*len(rows)) { // no look-ups if nothing is known
			if known[prefixes[n].String()].Rows == n+1 {
				there = n + 1
			}
		}
		switch {
		case there > 0:
			b.there += int64(there)
			i.known = max(i.known, known[prefixes[there-1].String()].Last)
		case len(known) > 0 && i.prefix != noPrefix:
			return &InputError{rows[0].line, "", fmt.Sprintf("or one of the next %d lines was changed since the lines before it were imported, so the database can't tell which points it has already;"+
				" put only new points into a file of their own, or give each a key", perWrite)}
		default:
			if err := i.checkNew(ctx, rows, b); err != nil {
				return err
			}
			there = len(rows)
			b.add("", store.ImportKey(i.prefix.String(), prefixes[there-1].String()), rows)
		}
		i.prefix, rows, prefixes = prefixes[there-1], rows[there:], prefixes[there:]
	}
	return nil
}

// checkNew refuses rows that have the same millisecond as the last row of the ledger before the
// import, unless that row came from this input too. They may be the same rows, as in an export of
// this database. The store itself refuses rows that are older.
func (i *importer) checkNew(ctx context.Context, rows []pending, b *batch) error {
	for n := range rows {
		if rows[n].At == "" {
			continue
		}
		if i.known >= i.before.seq || timeOf(rows[n].At).After(i.before.at) {
			return nil
		}
		// The ledger's last row may have a key and come earlier in this input. Writing shows it.
		if err := i.writePoints(ctx, b); err != nil {
			return err
		}
		if i.known < i.before.seq && timeOf(rows[n].At).Equal(i.before.at) {
			return &InputError{rows[n].line, "at", fmt.Sprintf("is %s, the time of the last points in the database, so these points may be the same, as in an export of this database;"+
				" put only new points into the file, and give each a later time or a key", formatTime(i.before.at))}
		}
	}
	return nil
}

func (p *pending) update() store.Update {
	return store.Update{UserID: p.UserID, XP: p.XP, MLCoins: p.MLCoins, Reason: p.Reason, At: timeOf(p.At)}
}
