// Package live decides when things happen: a write is committed, then ranked,
// then answered, and the boards that somebody follows are published when their
// time has come.
package live

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/go-co-op/gocron/v2"

	"marcador/rank"
	"marcador/sse"
	"marcador/store"
)

// The one board and the one period that there are.
const (
	Global  = "global"
	AllTime = "all-time"
)

// ErrUnknownBoard is returned for a board that can't be.
var ErrUnknownBoard = errors.New("live: unknown board")

// What callers see of the store.
type (
	Write   = store.Write
	Update  = store.Update
	Profile = store.Profile
	Error   = store.Error
	Code    = store.Code
)

// The store's errors, and the codes of an Error.
var (
	ErrBusy        = store.ErrBusy
	ErrClosed      = store.ErrClosed
	ErrUnavailable = store.ErrUnavailable
)

// See store.Error.
const (
	UserNotFound    = store.UserNotFound
	NegativeTotal   = store.NegativeTotal
	TotalTooLarge   = store.TotalTooLarge
	KeyReused       = store.KeyReused
	NothingToChange = store.NothingToChange
)

// Options says how a Service works. The zero value of a field is its default.
type Options struct {
	// Recompute is a cron expression, in Location: boards, pages and streams
	// move only then. Default: when something is written.
	Recompute string

	// Throttle is the least time between two broadcasts of a board; negative for
	// none. Default 10 s.
	Throttle time.Duration

	// CacheTTL is the longest that an encoded page is kept, and how often the
	// database is looked at for changes by other programs; negative to look
	// whenever a page is asked for. Default 60 s.
	CacheTTL time.Duration

	// Top is how many entries a broadcast has. Default 100.
	Top int

	// Location is where days begin. Default UTC.
	Location *time.Location

	// Now is the clock that commits are dated by. Default time.Now.
	Now func() time.Time

	// Log is told of what fails without a caller to tell. Default slog.Default.
	Log *slog.Logger
}

// Service is the boards of one database. Safe for concurrent use.
type Service struct {
	opts      Options
	store     *store.Store
	log       *slog.Logger
	scheduler gocron.Scheduler
	profiles  *profiles
	hub       *sse.Hub
	global    *board

	publishing sync.Mutex // held from reading a board to publishing it, so that versions are published in order

	ctx    context.Context // done when Close begins
	cancel context.CancelFunc

	mu      sync.RWMutex
	latest  stamp               // guarded by mu: of the last commit
	numbers map[string]uint32   // guarded by mu: users' numbers by id
	users   []user              // guarded by mu: by number
	badges  []store.Badge       // guarded by mu: lowest first
	day     time.Time           // guarded by mu: start of the day that the baseline is of
	waiting map[uint32]standing // guarded by mu: what the next recomputation will show; at most one a user
	stale   bool                // guarded by mu: another program has written what is not loaded yet
}

// stamp is which commit something shows, and when that was.
type stamp struct {
	version int64
	at      time.Time
}

// user is what is shown of a user beside the profile.
type user struct {
	id      string
	mlCoins int64
}

// standing is where a user's totals stand.
type standing struct {
	xp, reached, mlCoins int64
}

// Open opens the database at path, for which see store.Open, and loads the
// boards from it.
func Open(ctx context.Context, path string, opts Options) (_ *Service, err error) {
	if opts.Throttle == 0 {
		opts.Throttle = 10 * time.Second
	}
	if opts.CacheTTL == 0 {
		opts.CacheTTL = time.Minute
	}
	if opts.Top == 0 {
		opts.Top = 100
	}
	if opts.Location == nil {
		opts.Location = time.UTC
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Log == nil {
		opts.Log = slog.Default()
	}
	s := &Service{opts: opts, log: opts.Log, profiles: newProfiles(), waiting: map[uint32]standing{}}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	if s.store, err = store.Open(ctx, path, store.Options{Location: opts.Location, Now: opts.Now, Committed: s.committed}); err != nil {
		s.cancel()
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	s.hub = sse.NewHub(s.store.Epoch(), s.store.Seq())
	s.global = newBoard(s, Global, AllTime)
	if err := s.load(ctx); err != nil {
		return nil, err
	}
	if err := s.answerAgain(ctx); err != nil {
		return nil, err
	}
	return s, s.schedule()
}

// Close publishes nothing more, lets the writes that wait be committed, and
// closes the database.
func (s *Service) Close() error {
	s.cancel()
	var err error
	if s.scheduler != nil {
		err = s.scheduler.Shutdown()
	}
	if s.global != nil {
		s.global.publisher.close()
	}
	return errors.Join(err, s.store.Close())
}

// Hub is that of the boards' topics.
func (s *Service) Hub() *sse.Hub { return s.hub }

// Ready returns an error where the database can't be written, or boards are out
// of date because they could not be loaded.
func (s *Service) Ready(ctx context.Context) error {
	s.mu.RLock()
	stale := s.stale && !s.byCron()
	s.mu.RUnlock()
	if stale {
		return fmt.Errorf("%w: the boards could not be loaded again", ErrUnavailable)
	}
	return s.store.Ready(ctx)
}

// byCron reports whether boards move only when a cron expression says so.
func (s *Service) byCron() bool { return s.opts.Recompute != "" }

// load makes everything in memory anew from the database.
func (s *Service) load(ctx context.Context) error {
	badges, err := s.store.Badges(ctx)
	if err != nil {
		return err
	}
	if len(badges) == 0 || badges[0].MinXP > 0 {
		return errors.New("the table badges has no badge for 0 points; add one")
	}
	now := s.opts.Now()
	if at := s.store.At(); at.After(now) {
		now = at
	}
	day := store.DayOf(now.In(s.opts.Location))
	numbers := map[string]uint32{}
	var users []user
	var present, then []rank.Item
	err = s.store.Standings(ctx, day, func(st store.Standing) error {
		numbers[st.ID] = st.User
		for len(users) <= int(st.User) {
			users = append(users, user{})
		}
		users[st.User] = user{st.ID, st.MLCoins}
		present = append(present, rank.Item{Score: st.XP, Seq: st.Reached, User: st.User})
		if st.There {
			then = append(then, rank.Item{Score: st.XPThen, Seq: st.ReachedThen, User: st.User})
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("load board %q: %w", Global, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.badges, s.day, s.numbers, s.users = badges, day, numbers, users
	clear(s.waiting)
	s.profiles.forgetAll()
	s.global.rank.Load(present, then)
	s.latest = stamp{s.store.Seq(), s.store.At()}
	s.global.stamp = s.latest
	s.stale = false
	return nil
}

// answerAgain works out with which ranks the writes were answered that were
// committed right before a crash: the board is taken back to what it was before
// the last transaction, and that is ranked again.
func (s *Service) answerAgain(ctx context.Context) error {
	recent, err := s.store.Unanswered(ctx)
	if err != nil || len(recent) == 0 {
		return err
	}
	s.mu.Lock()
	for _, r := range slices.Backward(recent) {
		if r.XP != 0 {
			s.global.rank.Put(r.User, r.XPAfter-r.XP, r.ReachedBefore)
		}
	}
	var keyed []*store.Points
	for _, r := range recent {
		if r.XP != 0 {
			r.OldRank, r.NewRank = s.global.rank.Put(r.User, r.XPAfter, r.Seq)
		} else {
			r.OldRank = s.global.rank.Rank(r.User)
			r.NewRank = r.OldRank
		}
		if r.Keyed {
			keyed = append(keyed, r.Points)
		}
	}
	s.mu.Unlock()
	return s.store.Answer(ctx, keyed)
}

// tie puts the user whose id is lower first. It is called with mu held.
func (s *Service) tie(a, b uint32) bool { return s.users[a].id < s.users[b].id }

// badge returns the name of the badge that a total earns. It is called with mu
// held.
func (s *Service) badge(xp int64) string {
	name := s.badges[0].Name
	for _, b := range s.badges {
		if xp < b.MinXP {
			break
		}
		name = b.Name
	}
	return name
}
