package live

import (
	"context"
	"errors"
	"fmt"
	"time"

	"marcador/rank"
	"marcador/store"
)

// ErrNotClosed is returned for a period that was not closed, or is not kept any more.
var ErrNotClosed = errors.New("live: no such closed period")

// ClosedPeriod is a period that is over.
type ClosedPeriod struct {
	Period     string
	Start, End time.Time // the end is the next one's start
}

// Closed returns the closed periods of a kind that began before a time, newest first,
// at most limit.
func (s *Service) Closed(ctx context.Context, p Period, before time.Time, limit int) ([]ClosedPeriod, error) {
	closings, err := s.store.Closings(ctx, p, before, limit)
	if err != nil {
		return nil, err
	}
	list := make([]ClosedPeriod, len(closings))
	for i, c := range closings {
		list[i] = ClosedPeriod{p.String(), c.Start.UTC(), c.Ends.UTC()}
	}
	return list, nil
}

// FinalPage is a page of a board as it was when a period closed. Names and badges are
// the present ones.
type FinalPage struct {
	ClosedPeriod

	Entries      []Entry
	TotalEntries int // places; those of who was erased or hidden since are left out of Entries
	Me           *Entry
	Ranks        string // how equal scores were numbered when it closed
}

// Final returns a page of the closed period in which the moment lies. Errors are
// ErrUnknownBoard and ErrNotClosed.
func (s *Service) Final(ctx context.Context, q Query, moment time.Time) (page FinalPage, err error) {
	if _, ok := KindOf(q.Board); !ok {
		return page, fmt.Errorf("%w: %q", ErrUnknownBoard, q.Board)
	}
	closings, err := s.store.Closings(ctx, q.Period, moment.Add(time.Millisecond), 1)
	if err != nil {
		return page, err
	}
	if len(closings) == 0 || !moment.Before(closings[0].Ends) {
		return page, fmt.Errorf("%w: %s %s", ErrNotClosed, q.Period, moment)
	}
	c := &closings[0]
	limit := q.Limit
	if most := s.Limit(q.Board); most > 0 && !q.All {
		limit = max(min(limit, most-q.Offset), 0)
	}
	me, finals, total, err := s.store.Finals(ctx, c, q.Board, q.Offset, limit, q.Caller)
	if err != nil {
		return page, fmt.Errorf("read closed period of board %q: %w", q.Board, err)
	}
	numbers := make([]uint32, 0, len(finals)+1)
	for _, f := range finals {
		numbers = append(numbers, f.User)
	}
	if me != nil {
		numbers = append(numbers, me.User)
	}
	shown, err := s.profiles.of(ctx, s.store, numbers)
	if err != nil {
		return page, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	page = FinalPage{ClosedPeriod: ClosedPeriod{q.Period.String(), c.Start.UTC(), c.Ends.UTC()}, TotalEntries: total, Entries: []Entry{}, Ranks: c.Ranks}
	for i := range finals {
		page.Entries = append(page.Entries, s.finalEntry(&finals[i], shown, q.Caller))
	}
	if me != nil {
		own := s.finalEntry(me, shown, q.Caller)
		page.Me = &own
	}
	return page, nil
}

// finalEntry is called with mu held.
func (s *Service) finalEntry(f *store.NamedFinal, shown map[uint32]store.Shown, caller string) Entry {
	return line{
		Entry: rank.Entry{User: f.User, Rank: f.Rank, Before: f.Prior, Score: f.Score},
		id:    f.ID, xp: f.XP, mlCoins: f.MLCoins, badge: s.badge(f.XP),
	}.entry(shown, f.ID == caller)
}
