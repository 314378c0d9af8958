package live

import (
	"context"
	"fmt"

	"marcador/sse"
)

// Result is what an update did.
type Result struct {
	UserID           string
	XP, MLCoins      int64 // the totals that came of it
	PointsGained     int64
	OldRank, NewRank int // in the global board; 0 is none
	RankBadge        string
	Version          int64
}

// AddPoints applies the writes, all or none, and returns what each update did
// once it is committed and ranked. See store.AddPoints for keys and refusals.
func (s *Service) AddPoints(ctx context.Context, writes []Write) ([]Result, error) {
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

// User is a person with where they stand.
type User struct {
	Profile

	XP, MLCoins int64
	RankBadge   string
	Ranks       map[string]map[string]int // by board and period; none where the user has no rank
}

// User returns the user with that id, or an *Error with store.UserNotFound.
func (s *Service) User(ctx context.Context, id string) (User, error) {
	u, err := s.store.User(ctx, id)
	if err != nil {
		return User{}, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	user := User{
		Profile: u.Profile, XP: u.XP, MLCoins: u.MLCoins, RankBadge: s.badge(u.XP),
		Ranks: map[string]map[string]int{},
	}
	if r := s.global.rank.Rank(u.Number); r != 0 {
		user.Ranks[Global] = map[string]int{AllTime: r}
	}
	return user, nil
}

// PutProfiles creates or replaces the profiles, all or none, and says of each
// whether it is new.
func (s *Service) PutProfiles(ctx context.Context, profiles []Profile) (created []bool, err error) {
	return s.store.PutProfiles(ctx, profiles)
}

// Erase removes everything about the person, or returns an *Error with
// store.UserNotFound.
func (s *Service) Erase(ctx context.Context, id string) error { return s.store.Erase(ctx, id) }

// Page returns as JSON the entries of a board with offset others in front of
// them, at most limit, as caller, a user's id or empty, sees them.
func (s *Service) Page(ctx context.Context, boardName string, offset, limit int, caller string) ([]byte, error) {
	b, err := s.board(boardName)
	if err != nil {
		return nil, err
	}
	if s.opts.CacheTTL < 0 {
		if err := s.store.Check(ctx); err != nil {
			return nil, fmt.Errorf("look for changes by other programs: %w", err)
		}
	}
	v, err := b.view(ctx, offset+1, limit, caller, func() {})
	if err != nil {
		return nil, fmt.Errorf("make page of board %q: %w", boardName, err)
	}
	body := append(append(append([]byte{'{'}, b.kind...), ','), b.names...)
	body = v.appendEntries(append(body, `,"entries":`...), v.ownRank)
	body = appendField(body, "totalEntries", int64(v.total))
	body = append(append(body, `,"me":`...), v.me...)
	body = appendTime(append(body, `,"lastUpdated":`...), v.at)
	body = appendField(body, "version", v.version)
	return append(body, `,"resetsAt":null}`...), nil
}

// Follow returns a board's topic for a stream of user's, empty for an anonymous
// one, that resumes at the version seen, -1 for none. The board counts as followed
// until Leave is called, as sse.Server does when the stream is over.
func (s *Service) Follow(ctx context.Context, boardName, user string, seen int64) (sse.Follow, error) {
	b, err := s.board(boardName)
	if err != nil {
		return sse.Follow{}, err
	}
	return b.publisher.follow(ctx, user, seen)
}

func (s *Service) board(name string) (*board, error) {
	if name != Global {
		return nil, fmt.Errorf("%w: %q", ErrUnknownBoard, name)
	}
	return s.global, nil
}
