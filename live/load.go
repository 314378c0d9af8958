package live

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"marcador/rank"
	"marcador/store"
)

// loaded is what the people and the global board are made from.
type loaded struct {
	ids     []string // by user number
	mlCoins []int64  // by user number
	parts   [store.Parts]loadedPart
}

// loadedPart is what one of the concurrent readers of the database has read.
type loadedPart struct {
	ids           idArena
	hidden        []uint32
	now, baseline [store.Ending + 1][]rank.Item // by period
}

// load makes everything in memory from the database: for the first time, or again after another
// program has written to the file. The periods are those that are running at now. No write may
// run meanwhile. After an error, memory is what it was before.
func (s *Service) load(ctx context.Context, now time.Time, again bool) error {
	badges, err := s.store.Badges(ctx)
	if err != nil {
		return err
	}
	if len(badges) == 0 || badges[0].MinXP > 0 {
		return errors.New("the table badges has no badge for 0 points; add one")
	}
	limits, err := s.store.Limits(ctx)
	if err != nil {
		return err
	}
	run := runningAt(now.In(s.opts.Location), s.opts.Baseline)
	all, err := s.read(ctx, run)
	if err != nil {
		return fmt.Errorf("load board %q: %w", Global, err)
	}
	points, err := s.store.LastSeen(ctx, s.store.Seq())
	if err != nil {
		return err
	}
	lastVisible := stampOf(s.store.Seen())
	lastVisible.raise(stampOf(points))
	rosters, err := s.lockWithRosters(ctx, run, "")
	if err != nil {
		return err
	}
	defer s.mu.Unlock()
	s.badges, s.periods, s.limits = badges, run, map[string]int{}
	for _, l := range limits {
		s.limits[l.Board] = l.Top
	}
	clear(s.waiting)
	clear(s.renamed)
	s.profiles.forgetAll()
	s.forgetFinals()
	s.pastStandings = newPastStandings(s.store)
	s.latest = stamp{s.store.Seq(), s.store.At()}
	s.shown = s.latest
	as := s.stampOfLoad(lastVisible, again)
	s.stale = false
	s.build(all)
	s.global.setStamp(as)
	clear(s.boardsOf)
	s.loadedMembers = 0
	for b, ros := range rosters {
		clear(b.members)
		ros.addScores(s, ros.members)
		b.rank(ros)
		b.enrol(ros, as)
		s.loadedMembers += b.cost()
	}
	for _, l := range s.loading {
		l.stale = true
	}
	return nil
}

// loadFriends loads the boards of friends again, after a change that decides for many users at
// once which friendships count. If it fails, the next commit loads everything again.
func (s *Service) loadFriends(ctx context.Context, as stamp) error {
	s.mu.RLock()
	run := s.periods
	s.mu.RUnlock()
	rosters, err := s.lockWithRosters(ctx, run, Friends)
	if err != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.stale = true
		return err
	}
	defer s.mu.Unlock()
	for b, ros := range rosters {
		s.drop(b)
		clear(b.members)
		ros.addScores(s, ros.members)
		b.rank(ros)
		b.enrol(ros, as)
		s.boards[b.name] = b
		s.loadedMembers += b.cost()
		b.affectAll()
	}
	for name, l := range s.loading {
		if kind, _ := KindOf(name); kind == Friends {
			l.stale = true
		}
	}
	return nil
}

// stampOfLoad returns the stamp of the boards that are loaded, and sets seen and floor. The first
// time, it is the last change that others can see. When boards are loaded again, it is the last
// commit, since another program may have changed anything. mu must be held.
func (s *Service) stampOfLoad(lastVisible stamp, again bool) stamp {
	s.seen.raise(stampOf(s.store.Seen()))
	if again {
		s.seen.raise(s.latest)
		lastVisible = s.latest
	}
	s.floor = s.seen
	return lastVisible
}

// read reads all users and their scores. Several readers run at once, each with its own part of
// the users.
func (s *Service) read(ctx context.Context, run runningPeriods) (all *loaded, err error) {
	last, err := s.store.LastNumber(ctx)
	if err != nil {
		return nil, err
	}
	all = &loaded{ids: make([]string, last+1), mlCoins: make([]int64, last+1)}
	for i := range all.parts {
		l := &all.parts[i]
		l.now[store.AllTime] = make([]rank.Item, 0, last/store.Parts+1)
		l.baseline[store.AllTime] = make([]rank.Item, 0, last/store.Parts+1)
	}
	return all, s.store.People(ctx, last, run.before[store.Monthly], func(part int, p *store.Person) error {
		l := &all.parts[part]
		all.ids[p.User], all.mlCoins[p.User] = l.ids.add(p.ID), p.MLCoins
		l.add(p, &run)
		return nil
	})
}

// add adds the scores of a user.
func (l *loadedPart) add(p *store.Person, run *runningPeriods) {
	if p.Hidden {
		l.hidden = append(l.hidden, p.User)
	}
	l.now[store.AllTime] = append(l.now[store.AllTime], rank.Item{Score: p.XP, Seq: p.Reached, User: p.User})
	if !p.Active {
		p.Periods = [store.Ending]store.PeriodTotals{}
	}
	if it, ok := run.atBaseline(store.AllTime, &p.Totals); ok {
		l.baseline[store.AllTime] = append(l.baseline[store.AllTime], it)
	}
	if !p.Active {
		return
	}
	for period := range store.Period(store.Ending) {
		if it, ok := run.current(period, &p.Totals); ok {
			l.now[period] = append(l.now[period], it)
		}
		if it, ok := run.atBaseline(period, &p.Totals); ok {
			l.baseline[period] = append(l.baseline[period], it)
		}
	}
}

// build makes the people and the global board from what was read. mu must be held.
func (s *Service) build(all *loaded) {
	var hidden []uint32
	for i := range all.parts {
		hidden = append(hidden, all.parts[i].hidden...)
	}
	s.people.replace(all.ids, all.mlCoins, hidden)
	var building sync.WaitGroup
	for p, r := range s.global.rankings {
		building.Go(func() {
			now, baseline := all.parts[0].now[p], all.parts[0].baseline[p]
			for i := range all.parts[1:] {
				now = append(now, all.parts[1+i].now[p]...)
				baseline = append(baseline, all.parts[1+i].baseline[p]...)
			}
			r.rank.Load(now, baseline)
			for _, user := range hidden {
				if r.rank.Has(user) {
					r.rank.Hide(user)
				}
			}
		})
	}
	building.Wait()
}

// lockWithRosters reads the rosters of the boards in memory, and returns with mu locked. With a
// kind, it reads those of that kind only. It drops the boards that nobody uses. Boards that are
// loaded while it reads are read as well, before it returns. After an error, mu is not locked.
func (s *Service) lockWithRosters(ctx context.Context, run runningPeriods, kind string) (map[*board]*roster, error) {
	rosters := map[*board]*roster{}
	for {
		s.mu.Lock()
		var missing []*board
		for _, b := range s.boards {
			switch {
			case b == s.global || kind != "" && b.kind != kind:
			case b.pins.Load() == 0:
				s.drop(b)
				delete(rosters, b)
			case rosters[b] == nil:
				missing = append(missing, b)
			}
		}
		if len(missing) == 0 {
			return rosters, nil
		}
		s.mu.Unlock()
		for _, b := range missing {
			ros, err := s.readRoster(ctx, b.name, run, 0)
			if err != nil {
				return nil, err
			}
			rosters[b] = ros
		}
	}
}
