// Package live decides when things happen: a write is committed, then ranked,
// then answered, and the boards that somebody follows are published when their
// time has come.
package live

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-co-op/gocron/v2"

	"marcador/rank"
	"marcador/sse"
	"marcador/store"
)

// ErrUnknownBoard is returned for a board that can't be.
var ErrUnknownBoard = errors.New("live: unknown board")

// What callers see of the store.
type (
	Write   = store.Write
	Update  = store.Update
	Profile = store.Profile
	Patch   = store.Patch
	Badge   = store.Badge
	Period  = store.Period
	Error   = store.Error
	Code    = store.Code
)

// FriendsRule says when a friendship counts.
type FriendsRule = store.FriendsRule

// See store.FriendsRule.
const (
	FriendsMutual  = store.FriendsMutual
	FriendsInGroup = store.FriendsInGroup
	FriendsOpen    = store.FriendsOpen
)

// ParseFriendsRule returns the rule of that name.
func ParseFriendsRule(name string) (r FriendsRule, ok bool) { return store.ParseFriendsRule(name) }

// ParsePeriod returns the period of that name.
func ParsePeriod(name string) (p Period, ok bool) { return store.ParsePeriod(name) }

// See store.Period.
const (
	Daily   = store.Daily
	Weekly  = store.Weekly
	Monthly = store.Monthly
	AllTime = store.AllTime
)

// The store's errors, and the codes of an Error.
var (
	ErrBusy        = store.ErrBusy
	ErrClosed      = store.ErrClosed
	ErrUnavailable = store.ErrUnavailable
)

// What ErrUnavailable may come with. See store.
var (
	ErrDiskFull = store.ErrDiskFull
	ErrReadOnly = store.ErrReadOnly
	ErrLocked   = store.ErrLocked
	ErrDamaged  = store.ErrDamaged
	ErrGone     = store.ErrGone
	ErrIO       = store.ErrIO
)

// See store.Error.
const (
	UserNotFound    = store.UserNotFound
	NegativeTotal   = store.NegativeTotal
	TotalTooLarge   = store.TotalTooLarge
	KeyReused       = store.KeyReused
	NothingToChange = store.NothingToChange
	OwnFriend       = store.OwnFriend
	Invalid         = store.Invalid
	TooManyFriends  = store.TooManyFriends
)

// Options says how a Service works. The zero value of a field is its default.
type Options struct {
	// Schema is the text of schema.sql; see store.Options.
	Schema string

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

	// Location is where days, weeks and months begin. Default UTC.
	Location *time.Location

	// Baseline is the period with whose beginning the changes of all-time begin.
	// Default Daily.
	Baseline Period

	// Ranks is how equal scores are numbered. Default rank.Ordinal.
	Ranks rank.Numbering

	// Friends is when a friendship counts. Default FriendsMutual.
	Friends FriendsRule

	// Retention is how long closed periods are kept; 0 for ever.
	Retention time.Duration

	// Now is the clock that commits are dated by. Default time.Now.
	Now func() time.Time

	// Elapsed is the time since some moment, however the clock is set meanwhile: by it jumps
	// of Now are noticed. Default: the machine's; none where Now is given.
	Elapsed func() time.Duration

	// Log is told of what fails without a caller to tell. Default slog.Default.
	Log *slog.Logger
}

// Service is the boards of one database. Safe for concurrent use.
type Service struct {
	opts        Options
	store       *store.Store
	log         *slog.Logger
	clock       *clock
	scheduler   gocron.Scheduler
	profiles    *profiles
	hub         *sse.Hub
	global      *board
	broadcaster broadcaster
	archive     *archive
	uses        atomic.Int64 // of boards

	cache            *cache
	finalsGeneration atomic.Int64 // how often places of closed periods were
	rows             rowSize      // of all boards

	ctx    context.Context // done when Close begins
	cancel context.CancelFunc
	tasks  sync.WaitGroup // what runs until then

	mu            sync.RWMutex
	latest        stamp               // guarded by mu: of the last commit
	shown         stamp               // guarded by mu: of the last commit that boards show; nobody is told
	current       stamp               // guarded by mu: of the change that is being applied
	seen          stamp               // guarded by mu: of the last change, other than of points, that others than one user can see
	floor         stamp               // guarded by mu: seen, of what boards show; no board that is not loaded was shown with a later one but by points
	people        *people             // guarded by mu
	badges        []store.Badge       // guarded by mu: lowest first
	limits        map[string]int      // guarded by mu: how many are shown of a board, where not all
	periods       runningPeriods      // guarded by mu
	pastStandings *pastStandings      // guarded by mu: replaced where what was read may be wrong
	boards        map[string]*board   // guarded by mu: those that are loaded
	boardsOf      map[uint32][]*board // guarded by mu: of them, but for the global one, those that a user is on
	places        int                 // guarded by mu: what these cost
	evictAt       int                 // guarded by mu: where it is time to let go of some
	loading       map[string]*loading // guarded by mu: those that are being loaded
	marked        []*ranking          // guarded by mu: those that the commit under way has changed
	showNow        bool                // guarded by mu: it has changed what no recomputation is waited for with; then all is shown, since a version stands for one state
	waiting       map[uint32]totals   // guarded by mu: what the next recomputation will show; at most one a user
	renamed       map[uint32]stamp    // guarded by mu: whose profiles have changed since the last one, and when; at most one a user
	stale         bool                // guarded by mu: another program has written what is not loaded yet
}

// stamp is which commit or change something shows, and when that was.
type stamp struct {
	version int64
	at      time.Time
}

// raise makes it the other, if that is later.
func (s *stamp) raise(to stamp) {
	if to.version > s.version {
		*s = to
	}
}

func stampOf(s store.Stamp) stamp { return stamp{s.Seq, s.At} }

// totals is where a user's totals stand.
type totals struct {
	xp, reached, mlCoins int64
	scores               [store.Ending]store.Score
	stamp                stamp // of the change that made it so
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
		began := time.Now()
		opts.Now, opts.Elapsed = time.Now, func() time.Duration { return time.Since(began) }
	}
	if opts.Log == nil {
		opts.Log = slog.Default()
	}
	clock := newClock(&opts)
	opts.Now = clock.Now
	s := &Service{
		opts: opts, log: opts.Log, clock: clock, profiles: newProfiles(), cache: newCache(maxCacheBytes), people: newPeople(),
		boards: map[string]*board{}, boardsOf: map[uint32][]*board{}, loading: map[string]*loading{}, waiting: map[uint32]totals{}, renamed: map[uint32]stamp{},
	}
	s.broadcaster.s, s.broadcaster.timers = s, map[*publisher]*time.Timer{}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	if s.store, err = store.Open(ctx, path, store.Options{Schema: opts.Schema, Location: opts.Location, Friends: opts.Friends, Now: opts.Now, Committed: s.committed, Fault: s.fault}); err != nil {
		s.cancel()
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	clock.begin(s.store.At())
	s.hub = sse.NewHub(s.store.Epoch())
	s.global = newBoard(s, Global)
	s.boards[Global] = s.global
	s.archive = newArchive(s)
	now := opts.Now()
	if at := s.store.At(); at.After(now) {
		now = at
	}
	if err := s.load(ctx, now, false); err != nil {
		return nil, err
	}
	if err := s.answerAgain(ctx); err != nil {
		return nil, err
	}
	if last := s.store.At(); Daily.Start(now.In(opts.Location)).After(last) {
		s.logError("begin the day", s.beginDay(ctx))
	}
	s.archive.start()
	s.tasks.Go(s.inspect)
	debug.FreeOSMemory() // loading takes twice of what stays
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
	s.broadcaster.close()
	s.tasks.Wait()
	if s.archive != nil {
		s.archive.close()
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

// Fault names what an error of the database comes down to. See store.Store.Fault.
func (s *Service) Fault(err error) error { return s.store.Fault(err) }

// fault says once that writes fail, and why, and once that they don't any more.
func (s *Service) fault(err error) {
	if err != nil {
		s.log.Error("writes fail", "error", err)
	} else {
		s.log.Info("writes succeed again")
	}
}

// inspect reads the database through, once, for damage that loading has not met.
func (s *Service) inspect() {
	if err := s.store.Inspect(s.ctx); errors.Is(err, ErrDamaged) {
		s.log.Error("the database is damaged; writes are refused until a backup is restored", "error", err)
	} else {
		s.logError("look for damage in the database", err)
	}
}

// byCron reports whether boards move only when a cron expression says so.
func (s *Service) byCron() bool { return s.opts.Recompute != "" }

// answerAgain works out with which ranks the writes were answered that were
// committed right before a crash: the board is taken back to what it was before
// the last transaction, and that is ranked again.
func (s *Service) answerAgain(ctx context.Context) error {
	recent, err := s.store.Unanswered(ctx)
	if err != nil || len(recent) == 0 {
		return err
	}
	s.mu.Lock()
	board := s.global.rankings[AllTime].rank
	for _, r := range slices.Backward(recent) {
		if r.XP != 0 {
			board.Put(r.User, r.XPAfter-r.XP, r.ReachedBefore)
		}
	}
	var keyed []*store.Points
	for _, r := range recent {
		if r.XP != 0 {
			r.OldRank, r.NewRank = board.Put(r.User, r.XPAfter, r.Seq)
		} else {
			r.OldRank = board.Rank(r.User)
			r.NewRank = r.OldRank
		}
		if r.Keyed {
			keyed = append(keyed, r.Points)
		}
	}
	s.mu.Unlock()
	return s.store.Answer(ctx, keyed)
}

// tie puts the user whose id is lower first. It is called with mu held, or by who
// loads a board.
func (s *Service) tie(a, b uint32) bool { return s.people.tie(a, b) }

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

// beginDay gives the periods that have begun while the service was not running a version
// of their own: another one showed the boards of before.
func (s *Service) beginDay(ctx context.Context) error {
	if err := s.store.Touch(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen.raise(stampOf(s.store.Seen()))
	s.floor = s.seen
	s.global.dated(s.floor)
	return nil
}
