package transfer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
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
	b = append(b, p.UserID...)
	b = append(b, 0) // no text has one in it
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

// addPoints writes the points that wait, but for those without a key that are known to be
// there already.
func (i *importer) addPoints(ctx context.Context) error {
	var writes []store.Write
	var lines []int // of the updates in writes
	add := func(key string, rows []pending) {
		w := store.Write{Key: key}
		for n := range rows {
			w.Updates = append(w.Updates, rows[n].update())
			lines = append(lines, rows[n].line)
		}
		writes = append(writes, w)
	}
	for rows := i.pending; len(rows) > 0; {
		n := run(rows)
		if rows[0].Key != "" {
			add(rows[0].Key, rows[:n])
		} else if err := i.addUnkeyed(ctx, rows[:n], add); err != nil {
			return err
		}
		rows = rows[n:]
	}
	if len(writes) == 0 {
		return nil
	}
	last := i.store.Seq()
	done, err := i.store.AddPoints(ctx, writes)
	if err != nil {
		return refused(err, func(index int) int { return lines[index] }, nil)
	}
	for _, p := range done {
		if p.Seq > last {
			i.counts.Points++
			last = p.Seq
		} else { // before, or further up in the same input
			i.counts.Already++
		}
	}
	return nil
}

// run returns how many of the rows, from the first, are one write, or have no key.
func run(rows []pending) int {
	if rows[0].Key != "" {
		return int(max(rows[0].Rows, 1))
	}
	n := 1
	for n < len(rows) && rows[n].Key == "" {
		n++
	}
	return n
}

// addUnkeyed adds the rows, which have no key, but for those that are there already.
func (i *importer) addUnkeyed(ctx context.Context, rows []pending, add func(key string, rows []pending)) error {
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
			if known[marks[n].String()] == n+1 {
				there = n + 1
			}
		}
		switch {
		case there > 0:
			i.counts.Already += int64(there)
		case len(known) > 0 && i.mark != noMark:
			return &InputError{rows[0].line, "", fmt.Sprintf("or one of the next %d lines is not what it was when what comes before them was imported, so it is not known what is there already;"+
				" put only new points into a file of their own, or give each a key", atOnce)}
		default:
			there = len(rows)
			add(store.ImportKey(i.mark.String(), marks[there-1].String()), rows)
		}
		i.mark, rows, marks = marks[there-1], rows[there:], marks[there:]
	}
	return nil
}

func (p *pending) update() store.Update {
	return store.Update{UserID: p.UserID, XP: p.XP, MLCoins: p.MLCoins, Reason: p.Reason, At: timeOf(p.At)}
}
