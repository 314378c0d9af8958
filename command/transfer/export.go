package transfer

import (
	"context"
	"fmt"
	"io"

	"marcador/internal/profile"
	"marcador/store"
)

// Counts has the number of records of each type that were read or written.
type Counts struct {
	Users, Friendships, Limits, Badges, Points int64

	Already int64 // points that the database had already; they are not in Points
}

// All is the number of all records.
func (c Counts) All() int64 {
	return c.Users + c.Friendships + c.Limits + c.Badges + c.Points + c.Already
}

// Export writes the snapshot to w: badges, limits, users, friendships, and then the ledger, oldest
// first. The same contents give the same bytes. Export calls progress, unless it is nil, every
// thousand records.
func Export(ctx context.Context, s *store.Snapshot, w io.Writer, format string, progress func(Counts)) (c Counts, err error) {
	out, err := newWriter(w, format)
	if err != nil {
		return c, err
	}
	e := exporter{out: out, counts: &c, progress: progress}
	err = s.Badges(ctx, func(b store.Badge) error {
		return e.write(&record{Type: badge, MinXP: b.MinXP, Name: b.Name}, &c.Badges)
	})
	if err == nil {
		err = s.Limits(ctx, func(l store.Limit) error {
			return e.write(&record{Type: limit, Board: l.Board, Top: int64(l.Top)}, &c.Limits)
		})
	}
	if err == nil {
		err = s.Users(ctx, func(p *store.Profile) error {
			return e.write(&record{
				Type: user, ID: p.ID, CreatedAt: formatTime(p.Created),
				// Empty fields are given too, because an import leaves absent fields alone. Empty
				// groups are left out: importing an empty list of kinds would end no membership.
				Patch: profile.Patch{
					Username: profile.Given(p.Username), Avatar: profile.Given(p.Avatar), Email: profile.Given(p.Email),
					Pseudonym: profile.Given(p.Pseudonym), Hidden: profile.Given(p.Hidden), Groups: profile.Field[map[string][]string]{Given: len(p.Groups) > 0, Value: p.Groups},
				},
			}, &c.Users)
		})
	}
	if err == nil {
		err = s.Friends(ctx, func(p store.Pair) error {
			return e.write(&record{Type: friends, UserID: p.ID, OtherID: p.Other, Since: formatTime(p.Since), OneSided: p.OneSided}, &c.Friendships)
		})
	}
	if err == nil {
		var r record
		err = s.Ledger(ctx, func(l *store.Entry) error {
			r = record{Type: points, UserID: l.UserID, XP: l.XP, MLCoins: l.MLCoins, Reason: l.Reason, At: formatTime(l.At)}
			if l.Rows >= 1 && l.Rows <= maxRows {
				r.Key, r.Caller = l.Key, l.Caller
			}
			if r.Key != "" && l.Rows > 1 {
				r.Rows = int64(l.Rows)
			}
			return e.write(&r, &c.Points)
		})
	}
	if err != nil {
		return c, err
	}
	return c, out.flush()
}

type exporter struct {
	out      recordWriter
	counts   *Counts
	progress func(Counts)
}

func (e *exporter) write(r *record, count *int64) error {
	if err := e.out.write(r); err != nil {
		return fmt.Errorf("write a record of the type %s: %w", r.Type, err)
	}
	*count++
	if e.progress != nil && *count%1000 == 0 {
		e.progress(*e.counts)
	}
	return nil
}
