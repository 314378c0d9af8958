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

	"marcador/sse"
	"marcador/store"
)

// Service serves the boards of one database. Safe for concurrent use.
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
	cache       *cache
	rows        rowSize      // of all boards
	uses        atomic.Int64 // how often a board was pinned: the time by which boards age

	// finalsGeneration counts the events that change which users can be seen on closed boards.
	finalsGeneration atomic.Int64

	ctx    context.Context // done when Close begins
	cancel context.CancelFunc
	tasks  sync.WaitGroup // goroutines that Close waits for

	// mu guards the fields below it, all rankings, and the members of all boards. Writes and
	// reads wait for it, so the database is not read while it is held. The one exception is
	// rankHistory, which reads a few rows.
	mu sync.RWMutex

	latest  stamp // the last commit
	shown   stamp // the last commit that boards show; readers are never told
	current stamp // the change that is being applied

	// seen is the last change that users other than its own can see. Points do not count.
	seen stamp

	// floor is the value that seen had when the boards last changed. A board that is loaded now
	// gets at least this stamp: it may have been in memory before, and its version must not go
	// back.
	floor stamp

	people  *people
	badges  []store.Badge  // lowest first; replaced, never changed
	limits  map[string]int // by board: how many entries ordinary readers are shown
	periods runningPeriods

	// pastStandings is replaced when its contents may be wrong.
	pastStandings *pastStandings

	boards        map[string]*board   // the boards in memory, by name
	boardsOf      map[uint32][]*board // by user: the user's boards in memory, except the global one
	loadedMembers int                 // the cost of all boards, as board.cost counts
	evictAt       int                 // the loadedMembers above which evict looks at all boards
	loading       map[string]*loading // the boards that are being loaded, by name
	changed       []*ranking          // the rankings that the current commit has changed

	// showNow says that the current commit made a change that must not wait for the next
	// recomputation. Everything that waits is then shown with it.
	showNow bool

	waiting map[uint32]totals // what the next recomputation will show; at most one a user
	renamed map[uint32]stamp  // profile changes since the last recomputation; at most one a user
	stale   bool              // another program has written to the file since the last load
}

// stamp names a commit or a change: its sequence number and its time.
type stamp struct {
	version int64
	at      time.Time
}

// raise sets the stamp to the other one if the other one is later.
func (s *stamp) raise(to stamp) {
	if to.version > s.version {
		*s = to
	}
}

func stampOf(s store.Stamp) stamp { return stamp{s.Seq, s.At} }

// totals is a user's points and coins after a change.
type totals struct {
	xp, reached, mlCoins int64
	scores               [store.Ending]store.Score
	stamp                stamp // the change
}

// Open opens the database at path and loads its boards. See store.Open for the path. It takes
// about 2 s for a million users. The caller must call Close.
func Open(ctx context.Context, path string, opts Options) (_ *Service, err error) {
	opts = opts.withDefaults()
	clock := newClock(&opts)
	opts.Now = clock.Now
	s := &Service{
		opts: opts, log: opts.Log, clock: clock,
		profiles: newProfiles(), cache: newCache(maxCacheBytes), people: newPeople(),
		boards: map[string]*board{}, boardsOf: map[uint32][]*board{}, loading: map[string]*loading{},
		waiting: map[uint32]totals{}, renamed: map[uint32]stamp{},
	}
	s.broadcaster.s, s.broadcaster.timers = s, map[*publisher]*time.Timer{}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.store, err = store.Open(ctx, path, store.Options{
		Schema: opts.Schema, Location: opts.Location, Friends: opts.Friends, Display: opts.display(), Now: opts.Now,
		Committed: s.committed, Fault: s.fault,
	})
	if err != nil {
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
	if last := s.store.At(); store.Daily.Start(now.In(opts.Location)).After(last) {
		s.logError("begin the day", s.beginDay(ctx))
	}
	s.archive.start()
	s.tasks.Go(s.inspect)
	debug.FreeOSMemory() // loading takes twice as much memory as the boards
	return s, s.schedule()
}

// Close stops all broadcasts, lets the waiting writes be committed, and closes the database.
// It returns when every goroutine of the service has ended.
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

// Hub returns the hub of all boards' topics.
func (s *Service) Hub() *sse.Hub { return s.hub }

// Ready returns nil if the service can do its work. Otherwise the error says whether the
// database can't be written, or the boards are out of date because loading them failed.
func (s *Service) Ready(ctx context.Context) error {
	s.mu.RLock()
	stale := s.stale && !s.byCron()
	s.mu.RUnlock()
	if stale {
		return fmt.Errorf("%w: the boards could not be loaded again", store.ErrUnavailable)
	}
	return s.store.Ready(ctx)
}

// Fault returns the cause of a database error. See store.Store.Fault.
func (s *Service) Fault(err error) error { return s.store.Fault(err) }

// fault logs when writes begin to fail, with the cause, and when they succeed again.
func (s *Service) fault(err error) {
	if err != nil {
		s.log.Error("writes fail", "error", err)
	} else {
		s.log.Info("writes succeed again")
	}
}

// inspect reads the whole database once, to find damage in parts that loading did not read.
func (s *Service) inspect() {
	if err := s.store.Inspect(s.ctx); errors.Is(err, store.ErrDamaged) {
		s.log.Error("the database is damaged; writes are refused until a backup is restored", "error", err)
	} else {
		s.logError("look for damage in the database", err)
	}
}

// byCron reports whether boards change only at the times of a cron expression.
func (s *Service) byCron() bool { return s.opts.Recompute != "" }

// answerAgain stores the ranks of the last transaction before a crash. The process died after
// the commit and before it stored them, and a repetition of the same key must be answered with
// them. So the global board is taken back to the state before that transaction, and the
// transaction is ranked again.
func (s *Service) answerAgain(ctx context.Context) error {
	recent, err := s.store.Unanswered(ctx)
	if err != nil || len(recent) == 0 {
		return err
	}
	s.mu.Lock()
	board := s.global.rankings[store.AllTime].rank
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

// beginDay gives a new version to the boards if a day began while the service was not running.
// With the old version, clients were shown the boards of the day before.
func (s *Service) beginDay(ctx context.Context) error {
	if err := s.store.Touch(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen.raise(stampOf(s.store.Seen()))
	s.floor = s.seen
	s.global.setStamp(s.floor)
	return nil
}
