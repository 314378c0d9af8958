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

// loaded is what memory is made from.
type loaded struct {
	ids     []string // by number, as mlCoins
	mlCoins []int64
	parts   [store.Parts]loadedPart
}

// loadedPart is what one reader of the database has read.
type loadedPart struct {
	ids       idArena
	hidden    []uint32
	now, then [store.Ending + 1][]rank.Item
}

// load makes everything in memory from the database, again or for the first time, with the
// periods of that moment. It must not run while something is written.
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
	first := stampOf(s.store.Seen())
	first.raise(stampOf(points))
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
	as := s.date(first, again)
	s.stale = false
	s.build(all)
	s.global.dated(as)
	clear(s.boardsOf)
	s.loadedMembers = 0
	for b, ros := range rosters {
		clear(b.members)
		ros.take(s, ros.members)
		b.rank(ros)
		b.enter(ros, as)
		s.loadedMembers += b.cost()
	}
	for _, l := range s.loading {
		l.stale = true
	}
	return nil
}

// loadFriends makes the boards of friends anew: which friendships count has changed for many
// at once. Where it fails, everything is loaded again with the next commit.
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
		ros.take(s, ros.members)
		b.rank(ros)
		b.enter(ros, as)
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

// date notes of which change the boards are that are loaded, and returns that: the first
// time of the last one that others see, and again of the last commit, with which another
// program may have changed anything. It is called with mu held.
func (s *Service) date(first stamp, again bool) stamp {
	s.seen.raise(stampOf(s.store.Seen()))
	if again {
		s.seen.raise(s.latest)
		first = s.latest
	}
	s.floor = s.seen
	return first
}

// read reads all users and where they stand, each reader a part of them.
func (s *Service) read(ctx context.Context, run runningPeriods) (all *loaded, err error) {
	last, err := s.store.LastNumber(ctx)
	if err != nil {
		return nil, err
	}
	all = &loaded{ids: make([]string, last+1), mlCoins: make([]int64, last+1)}
	for i := range all.parts {
		l := &all.parts[i]
		l.now[AllTime] = make([]rank.Item, 0, last/store.Parts+1)
		l.then[AllTime] = make([]rank.Item, 0, last/store.Parts+1)
	}
	return all, s.store.People(ctx, last, run.before[Monthly], func(part int, p *store.Person) error {
		l := &all.parts[part]
		all.ids[p.User], all.mlCoins[p.User] = l.ids.add(p.ID), p.MLCoins
		if p.Hidden {
			l.hidden = append(l.hidden, p.User)
		}
		l.now[AllTime] = append(l.now[AllTime], rank.Item{Score: p.XP, Seq: p.Reached, User: p.User})
		if !p.Active {
			p.Windows = [store.Ending]store.Window{}
		}
		if it, there := run.then(AllTime, &p.Standing); there {
			l.then[AllTime] = append(l.then[AllTime], it)
		}
		if !p.Active {
			return nil
		}
		for period := range Period(store.Ending) {
			if it, there := run.now(period, &p.Standing); there {
				l.now[period] = append(l.now[period], it)
			}
			if it, there := run.then(period, &p.Standing); there {
				l.then[period] = append(l.then[period], it)
			}
		}
		return nil
	})
}

// build makes the people and the global board of what was read. It is called with mu
// held.
func (s *Service) build(all *loaded) {
	var hidden []uint32
	for i := range all.parts {
		hidden = append(hidden, all.parts[i].hidden...)
	}
	s.people.become(all.ids, all.mlCoins, hidden)
	var building sync.WaitGroup
	for p, r := range s.global.rankings {
		building.Go(func() {
			now, then := all.parts[0].now[p], all.parts[0].then[p]
			for i := range all.parts[1:] {
				now, then = append(now, all.parts[1+i].now[p]...), append(then, all.parts[1+i].then[p]...)
			}
			r.rank.Load(now, then)
			for _, user := range hidden {
				if r.rank.Has(user) {
					r.rank.Hide(user)
				}
			}
		})
	}
	building.Wait()
}

// lockWithRosters locks mu and returns the members of all boards that are loaded, having
// let go of those that nobody uses. Where one was loaded while others were read, it goes
// on. With a kind, only boards of that. After an error mu is not locked.
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
