package live

import (
	"context"

	"marcador/store"
)

// Result says what one update did.
type Result struct {
	UserID           string
	XP, MLCoins      int64 // the totals after the update
	PointsGained     int64
	OldRank, NewRank int // on the global board of all time, from 1; 0 means no rank
	RankBadge        string
	Version          int64 // the update's sequence number
}

// AddPoints applies the updates of all writes, or none of them. It returns once they are
// committed and ranked, with one Result for each update, in their order. See store.AddPoints
// for keys and for the errors.
func (s *Service) AddPoints(ctx context.Context, writes []store.Write) ([]Result, error) {
	points, err := s.store.AddPoints(ctx, writes)
	if err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	results := make([]Result, len(points))
	for i, p := range points {
		results[i] = Result{
			UserID: p.UserID, XP: p.XPAfter, MLCoins: p.MLCoinsAfter, PointsGained: p.XP,
			OldRank: p.OldRank, NewRank: p.NewRank, RankBadge: s.badge(p.XPAfter), Version: p.Seq,
		}
	}
	return results, nil
}

// User is a user with totals and ranks.
type User struct {
	store.Profile

	XP, MLCoins int64
	RankBadge   string

	// Ranks are by board and period, from 1. Where the user has no rank, the entry is missing.
	Ranks map[string]map[string]int
}

// User returns the user with that id. Ranks has the global board, the boards of the user's
// groups, and the board of the user's friends if there are any; all these boards are loaded. If
// there is no such user, the error is an *Error with the code UserNotFound.
func (s *Service) User(ctx context.Context, id string) (User, error) {
	u, err := s.store.User(ctx, id)
	if err != nil {
		return User{}, err
	}
	names := []string{Global}
	for kind, ids := range u.Groups {
		for _, id := range ids {
			names = append(names, kind+":"+id)
		}
	}
	if u.Friends > 0 {
		names = append(names, Friends+":"+id)
	}
	user := User{Profile: u.Profile, XP: u.XP, MLCoins: u.MLCoins, Ranks: map[string]map[string]int{}}
	for _, name := range names {
		b, err := s.pin(ctx, name)
		if err != nil {
			return User{}, err
		}
		if ranks := b.ranksOf(u.Number); len(ranks) > 0 {
			user.Ranks[name] = ranks
		}
		b.unpin()
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	user.RankBadge = s.badge(u.XP)
	return user, nil
}

// Users returns the users with these ids, in the order of the ids and without Ranks. Ids of
// users who do not exist are skipped. It loads no board.
func (s *Service) Users(ctx context.Context, ids []string) ([]User, error) {
	found, err := s.store.Users(ctx, ids)
	if err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	users := make([]User, len(found))
	for i, u := range found {
		users[i] = User{Profile: u.Profile, XP: u.XP, MLCoins: u.MLCoins, RankBadge: s.badge(u.XP)}
	}
	return users, nil
}

// ranksOf returns the user's ranks by period.
func (b *board) ranksOf(user uint32) map[string]int {
	b.s.mu.RLock()
	defer b.s.mu.RUnlock()
	ranks := map[string]int{}
	for p, r := range b.rankings {
		if n := r.rank.Rank(user); n > 0 && b.has(user) {
			ranks[store.Period(p).String()] = n
		}
	}
	return ranks
}

// PutProfiles creates or replaces all of the profiles, or none. created says for each profile
// whether its user is new.
func (s *Service) PutProfiles(ctx context.Context, profiles []store.Profile) (created []bool, err error) {
	return s.store.PutProfiles(ctx, profiles)
}

// PatchProfiles creates or changes all of the profiles, or none. created says for each profile
// whether its user is new. See store.PatchProfiles for the errors.
func (s *Service) PatchProfiles(ctx context.Context, patches []store.Patch) (created []bool, err error) {
	return s.store.PatchProfiles(ctx, patches)
}

// PatchProfile changes the profile of a user who exists. If there is no such user, the error is
// an *Error with the code UserNotFound.
func (s *Service) PatchProfile(ctx context.Context, p store.Patch) error {
	return s.store.PatchProfile(ctx, p)
}

// Has reports whether a user with exactly this id exists. It reads memory only.
func (s *Service) Has(id string) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	_, ok := s.people.number(id)
	return ok
}

// HasBoard reports whether the board of that kind and exactly that id has, or once had, a
// member. A board of friends is there if its user is. After a database error it returns false,
// since whatever the caller does with the board meets the same error.
func (s *Service) HasBoard(ctx context.Context, kind, id string) bool {
	if kind == Friends {
		return s.Has(id)
	}
	ok, err := s.store.HasBoard(ctx, kind, id)
	return ok && err == nil
}

// Erase removes everything about the user. If there is no such user, the error is an *Error
// with the code UserNotFound.
func (s *Service) Erase(ctx context.Context, id string) error { return s.store.Erase(ctx, id) }

// History returns the ledger rows of a user. See store.History.
func (s *Service) History(ctx context.Context, id string, before int64, limit int) ([]store.Row, error) {
	return s.store.History(ctx, id, before, limit)
}

// Befriend records that the user asks the other user for friendship. If both is true, the other
// user asks as well. See store.Befriend.
func (s *Service) Befriend(ctx context.Context, id, other string, both bool) error {
	return s.store.Befriend(ctx, id, other, both)
}

// Unfriend ends the friendship of two users, and removes what either of them has asked for. See
// store.Unfriend.
func (s *Service) Unfriend(ctx context.Context, id, other string) error {
	return s.store.Unfriend(ctx, id, other)
}
