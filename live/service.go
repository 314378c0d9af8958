package live

import (
	"context"
	"errors"
	"fmt"
	"time"

	"marcador/sse"
	"marcador/store"
)

// Result is what an update did.
type Result struct {
	UserID           string
	XP, MLCoins      int64 // the totals that came of it
	PointsGained     int64
	OldRank, NewRank int // in the global board of all time; 0 is none
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

// User returns the user with that id, or an *Error with UserNotFound. The ranks are
// those of the global board, of the user's groups, and of their friends where they have
// any.
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

// Users returns the users with these ids, without ranks, in the order of the ids. Users
// that do not exist are left out. It loads no board.
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
			ranks[Period(p).String()] = n
		}
	}
	return ranks
}

// PutProfiles creates or replaces the profiles, all or none, and says of each
// whether it is new.
func (s *Service) PutProfiles(ctx context.Context, profiles []Profile) (created []bool, err error) {
	return s.store.PutProfiles(ctx, profiles)
}

// PatchProfiles creates or changes the profiles, all or none, and says of each whether it
// is new. See store.PatchProfiles for refusals.
func (s *Service) PatchProfiles(ctx context.Context, patches []Patch) (created []bool, err error) {
	return s.store.PatchProfiles(ctx, patches)
}

// PatchProfile changes the profile of a user, or returns an *Error with UserNotFound.
func (s *Service) PatchProfile(ctx context.Context, p Patch) error {
	return s.store.PatchProfile(ctx, p)
}

// Has reports whether there is a user with that id, to the letter.
func (s *Service) Has(id string) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	_, there := s.people.number(id)
	return there
}

// HasBoard reports whether there is or was a member of the board of that kind and id, to
// the letter; of a board of friends, whether there is its user. An error of the database
// counts as no: whatever is done with the board meets it again.
func (s *Service) HasBoard(ctx context.Context, kind, id string) bool {
	if kind == Friends {
		return s.Has(id)
	}
	there, err := s.store.HasBoard(ctx, kind, id)
	return there && err == nil
}

// Erase removes everything about the person, or returns an *Error with UserNotFound.
func (s *Service) Erase(ctx context.Context, id string) error { return s.store.Erase(ctx, id) }

// History returns the ledger of a user's points. See store.History.
func (s *Service) History(ctx context.Context, id string, before int64, limit int) ([]store.Row, error) {
	return s.store.History(ctx, id, before, limit)
}

// Befriend has the user ask for a friendship with the other; with both, each of the two
// asks. See store.Befriend.
func (s *Service) Befriend(ctx context.Context, id, other string, both bool) error {
	return s.store.Befriend(ctx, id, other, both)
}

// Unfriend ends the friendship of the two, and what either has asked for. See
// store.Unfriend.
func (s *Service) Unfriend(ctx context.Context, id, other string) error {
	return s.store.Unfriend(ctx, id, other)
}

// Badges returns the table of badges, lowest first.
func (s *Service) Badges() []Badge {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.badges // it is replaced, not changed
}

// PutBadges replaces the table of badges, at once for all boards: lowest first, the
// first from 0 points.
func (s *Service) PutBadges(ctx context.Context, badges []Badge) error {
	return s.store.PutBadges(ctx, badges)
}

// Limit returns how many of a board's best are shown, 0 for all: by the board's own limit,
// or else by that of its kind, such as friends:*.
func (s *Service) Limit(board string) int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.limitOf(board)
}

// limitOf is Limit. It is called with mu held.
func (s *Service) limitOf(board string) int {
	if len(s.limits) == 0 {
		return 0 // as for most, and each update asks
	}
	if limit, own := s.limits[board]; own {
		return limit
	}
	kind, _ := KindOf(board)
	return s.limits[kind+allOfKind]
}

// PutLimit sets how many of a board's best are shown, 0 for all.
func (s *Service) PutLimit(ctx context.Context, board string, top int) error {
	return s.store.PutLimit(ctx, store.Limit{Board: board, Top: top})
}

// Location is where days begin.
func (s *Service) Location() *time.Location { return s.opts.Location }

// Ranks says how equal scores are numbered: "ordinal", "competition" or "dense".
func (s *Service) Ranks() string { return s.opts.Ranks.String() }

// IsMember reports whether the user may see the board by being on it: everybody the
// global one, members that of their group, and the user that of their friends.
func (s *Service) IsMember(ctx context.Context, board, user string) (bool, error) {
	kind, ok := KindOf(board)
	switch {
	case !ok:
		return false, fmt.Errorf("%w: %q", ErrUnknownBoard, board)
	case kind == Global:
		return true, nil
	case kind == Friends:
		return board == Friends+":"+user, nil
	}
	return s.store.IsMember(ctx, board, user)
}

// Page returns a page as JSON: see PageBody. Errors are ErrUnknownBoard, and
// ErrNotOnBoard for a page around somebody who is not seen there.
func (s *Service) Page(ctx context.Context, q Query) ([]byte, error) {
	if s.opts.CacheTTL < 0 {
		if err := s.store.Check(ctx); err != nil {
			return nil, fmt.Errorf("look for changes by other programs: %w", err)
		}
	}
	b, err := s.pin(ctx, q.Board)
	if err != nil {
		return nil, err
	}
	defer b.unpin()
	v, err := b.rankings[q.Period].view(ctx, &q, func() {})
	if err != nil {
		return nil, fmt.Errorf("make page of board %q: %w", q.Board, err)
	}
	as := v.readable(q.All)
	body := append([]byte(`{"type":`), quote(b.kind)...)
	body = append(append(body, ','), v.r.names...)
	body = v.appendEntries(append(body, `,"entries":`...), v.own)
	body = appendField(body, "totalEntries", int64(v.total))
	body = append(append(body, `,"me":`...), v.me...)
	body = append(append(body, `,"ranks":`...), quote(s.Ranks())...)
	body = appendTime(append(body, `,"lastUpdated":`...), as.at)
	body = appendField(body, "version", as.version)
	if body = append(body, `,"resetsAt":`...); v.ends == nil {
		return append(body, `null}`...), nil
	}
	return append(appendTime(body, *v.ends), '}'), nil
}

// ErrNotMember is returned for a board that the user is not, or not any more, a member
// of.
var ErrNotMember = errors.New("live: not a member")

// Follow is what a stream follows, and for whom.
type Follow struct {
	Board    string
	Period   Period
	User     string // empty for an anonymous one
	AsMember bool   // it is membership that allows it: with that the stream ends
	Seen     int64  // the version of the event id that it resumes at, -1 for none
	Told     []byte // what a stream of the user and board had been told with that id; nil where it is not known
}

// Follow returns the topic of a board. The board counts as followed until Leave is
// called, as sse.Server does when the stream is over.
func (s *Service) Follow(ctx context.Context, f Follow) (sse.Follow, error) {
	b, err := s.pin(ctx, f.Board)
	if err != nil {
		return sse.Follow{}, err
	}
	follow, err := b.rankings[f.Period].followed().follow(ctx, f)
	if err != nil {
		b.unpin()
		return sse.Follow{}, err
	}
	leave := follow.Leave
	follow.Leave = func() { leave(); b.unpin() }
	return follow, nil
}
