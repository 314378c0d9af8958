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

// mark stands for all points without a key from the beginning of an input up to a place:
// for what they say, in their order. Such points are written under keys that are made of
// the marks before and behind them, by which a later import of the same input finds them.
type mark [16]byte

var noMark mark

func (m mark) String() string { return hex.EncodeToString(m[:]) }

// after is the mark behind the next record.
func (m mark) after(p *pending) mark {
	b := append(make([]byte, 0, 256), m[:]...)
	b = append(b, p.written...) // as it always was: a file is known by what it says
	b = append(b, 0)            // no text has one in it
	b = strconv.AppendInt(b, p.XP, 10)
	b = append(b, 0)
	b = strconv.AppendInt(b, p.MLCoins, 10)
	b = append(b, 0)
	b = append(b, p.Reason...)
	b = append(b, 0)
	if p.At != "" {
		b = strconv.AppendInt(b, timeOf(p.At).UnixMilli(), 10)
	}
	sum := sha256.Sum256(b)
	return mark(sum[:len(m)])
}

// batch is points that are written in one transaction.
type batch struct {
	writes []store.Write
	lines  []int // of the updates in writes
	there  int64 // rows without a key that are there already, between the writes
}

func (b *batch) add(caller, key string, rows []pending) {
	w := store.Write{Caller: caller, Key: key}
	for n := range rows {
		w.Updates = append(w.Updates, rows[n].update())
		b.lines = append(b.lines, rows[n].line)
	}
	b.writes = append(b.writes, w)
}

// addPoints writes the points that wait, but for those without a key that are known to be
// there already.
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

// drop takes the write with the update out of the batch; of an import's own, which has no
// key in the input, the update alone.
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

// try adds the points of the batch, in a check without those that are refused.
func (i *importer) try(ctx context.Context, b *batch) ([]*store.Points, error) {
	for {
		done, err := i.store.AddPoints(ctx, b.writes)
		refusal, ok := errors.AsType[*store.Error](err)
		if err = refused(err, b.lines, nil); !ok || i.checking == nil {
			return done, err
		}
		if err := i.checking.note(err); err != nil {
			return nil, err
		}
		if b.drop(refusal.Index); len(b.writes) == 0 || i.checking.faults.full() {
			return nil, nil
		}
	}
}

// writePoints writes the batch, which is empty then, and counts it.
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
			i.counts.Already++ // before, or further up in the same input
			if p.Seq <= i.before.seq {
				i.known = max(i.known, p.Seq)
			}
		}
	}
	i.counts.Already += b.there
	*b = batch{}
	return nil
}

// run returns how many of the rows, from the first, are one write, or have no key. Where rows
// of a key are missing, which the check has said, there are fewer.
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

// addUnkeyed adds the rows, which have no key, but for those that are there already.
func (i *importer) addUnkeyed(ctx context.Context, rows []pending, b *batch) error {
	marks := make([]mark, len(rows))
	m := i.mark
	for n := range rows {
		m = m.after(&rows[n])
		marks[n] = m
	}
	for len(rows) > 0 {
		known, err := i.store.Imported(ctx, i.mark.String())
		if err != nil {
			return err
		}
		there := 0
		for n := range min(len(rows), len(known)*len(rows)) { // none where none is known
			if known[marks[n].String()].Rows == n+1 {
				there = n + 1
			}
		}
		switch {
		case there > 0:
			b.there += int64(there)
			i.known = max(i.known, known[marks[there-1].String()].Last)
		case len(known) > 0 && i.mark != noMark:
			return &InputError{rows[0].line, "", fmt.Sprintf("or one of the next %d lines is not what it was when what comes before them was imported, so it is not known what is there already;"+
				" put only new points into a file of their own, or give each a key", perWrite)}
		default:
			if err := i.follow(ctx, rows, b); err != nil {
				return err
			}
			there = len(rows)
			b.add("", store.ImportKey(i.mark.String(), marks[there-1].String()), rows)
		}
		i.mark, rows, marks = marks[there-1], rows[there:], marks[there:]
	}
	return nil
}

// follow refuses new rows of the same millisecond as the last that were there before the
// import: they may be those, as in an export of this very database. It lets them be where
// the last that was there came from this input. All earlier ones the store refuses.
func (i *importer) follow(ctx context.Context, rows []pending, b *batch) error {
	for n := range rows {
		if rows[n].At == "" {
			continue
		}
		if i.known >= i.before.seq || timeOf(rows[n].At).After(i.before.at) {
			return nil
		}
		if err := i.writePoints(ctx, b); err != nil { // the last that was there may have a key, and stand before
			return err
		}
		if i.known < i.before.seq && timeOf(rows[n].At).Equal(i.before.at) {
			return &InputError{rows[n].line, "at", fmt.Sprintf("is %s, as of the last points that are there, and these may be the same, as in an export of this database;"+
				" put only new points into the file, and give each a later time or a key", formatTime(i.before.at))}
		}
	}
	return nil
}

func (p *pending) update() store.Update {
	return store.Update{UserID: p.UserID, XP: p.XP, MLCoins: p.MLCoins, Reason: p.Reason, At: timeOf(p.At)}
}
