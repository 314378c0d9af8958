package live

import (
	"context"
	"fmt"
	"time"

	"marcador/rank"
	"marcador/store"
)

// ClosedPeriod is a period that is over, and whose final ranks are stored.
type ClosedPeriod struct {
	Period     string
	Start, End time.Time // in UTC; the end is the start of the next period
}

// Closed returns the closed periods of a kind that began before a time, newest first, at most
// limit.
func (s *Service) Closed(ctx context.Context, p store.Period, before time.Time, limit int) ([]ClosedPeriod, error) {
	closings, err := s.store.Closings(ctx, p, before, limit)
	return closedPeriods(closings, p), err
}

// ClosedTo is like Closed, but it returns only the periods at whose end the user was a member of
// the group. The error is ErrNotMember if the user is no member now and was no member at the end
// of any closed period.
func (s *Service) ClosedTo(ctx context.Context, board, user string, p store.Period, before time.Time, limit int) ([]ClosedPeriod, error) {
	closings, err := s.store.ClosingsOf(ctx, p, before, limit, board, user)
	if err != nil {
		return nil, err
	}
	if len(closings) == 0 { // the user may have been a member at the end of a later one
		if err := s.checkMember(ctx, board, user, p); err != nil {
			return nil, err
		}
	}
	return closedPeriods(closings, p), nil
}

// lastOfTime is later than any period.
var lastOfTime = time.UnixMilli(1 << 52)

// checkMember returns ErrNotMember if the user is no member of the group now and was no member at
// the end of any closed period of the kind.
func (s *Service) checkMember(ctx context.Context, board, user string, p store.Period) error {
	is, err := s.store.IsMember(ctx, board, user)
	if err != nil || is {
		return err
	}
	closings, err := s.store.ClosingsOf(ctx, p, lastOfTime, 1, board, user)
	if err == nil && len(closings) == 0 {
		err = fmt.Errorf("%w of %q", ErrNotMember, board)
	}
	return err
}

// closing returns the closed period that contains the time. With q.AsMember, the caller must have
// been a member of the group at its end. The error may be ErrNotClosed or ErrNotMember.
func (s *Service) closing(ctx context.Context, q *Query, at time.Time) (*store.Closing, error) {
	before := at.Add(time.Millisecond)
	closings, err := s.store.Closings(ctx, q.Period, before, 1)
	if err != nil {
		return nil, err
	}
	closed := len(closings) > 0 && at.Before(closings[0].Ends)
	if q.AsMember && !closed {
		err = s.checkMember(ctx, q.Board, q.Caller, q.Period)
	} else if q.AsMember {
		var theirs []store.Closing
		theirs, err = s.store.ClosingsOf(ctx, q.Period, before, 1, q.Board, q.Caller)
		if err == nil && (len(theirs) == 0 || theirs[0].Number != closings[0].Number) {
			err = fmt.Errorf("%w of %q when the period ended", ErrNotMember, q.Board)
		}
	}
	if err == nil && !closed {
		err = fmt.Errorf("%w: %s %s", ErrNotClosed, q.Period, at)
	}
	if err != nil {
		return nil, err
	}
	return &closings[0], nil
}

func closedPeriods(closings []store.Closing, p store.Period) []ClosedPeriod {
	list := make([]ClosedPeriod, len(closings))
	for i, c := range closings {
		list[i] = ClosedPeriod{p.String(), c.Start.UTC(), c.Ends.UTC()}
	}
	return list
}

// FinalPage is a page of a board as it was when a period closed. Scores and ranks are final. Names
// and badges are the present ones.
type FinalPage struct {
	ClosedPeriod

	Entries []Entry

	// TotalEntries counts all final entries of the board. It includes users who were hidden or
	// erased later, whom Entries leaves out.
	TotalEntries int

	Me    *Entry // the caller's own entry; nil if there is none
	Ranks string // how equal scores were numbered when the period closed
}

// Final returns a page of the closed period that contains the time. Errors are ErrUnknownBoard,
// ErrNotClosed, ErrNotMember, and those of reading the database.
func (s *Service) Final(ctx context.Context, q Query, at time.Time) (page FinalPage, err error) {
	if _, ok := KindOf(q.Board); !ok {
		return page, fmt.Errorf("%w: %q", ErrUnknownBoard, q.Board)
	}
	if err := s.checkIfUncached(ctx); err != nil {
		return page, err
	}
	c, err := s.closing(ctx, &q, at)
	if err != nil {
		return page, err
	}
	limit := q.Limit
	if most := s.Limit(q.Board); most > 0 && !q.All {
		limit = max(min(limit, most-q.Offset), 0)
	}
	me, finals, total, err := s.finals(ctx, c, &q, limit)
	if err != nil {
		return page, err
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
	page = FinalPage{
		ClosedPeriod: ClosedPeriod{q.Period.String(), c.Start.UTC(), c.Ends.UTC()},
		TotalEntries: total, Entries: []Entry{}, Ranks: c.Ranks,
	}
	for i := range finals {
		page.Entries = append(page.Entries, s.finalEntry(&finals[i], shown, q.Caller))
	}
	if me != nil {
		own := s.finalEntry(me, shown, q.Caller)
		page.Me = &own
	}
	return page, nil
}

// finalEntry returns a final as JSON has it. mu must be held.
func (s *Service) finalEntry(f *store.NamedFinal, shown map[uint32]store.Shown, caller string) Entry {
	return rankedUser{
		Entry: rank.Entry{User: f.User, Rank: f.Rank, Before: f.Prior, Score: f.Score},
		id:    f.ID, xp: f.XP, mlCoins: f.MLCoins, badge: s.badge(f.XP),
	}.entry(shown, f.ID == caller)
}
