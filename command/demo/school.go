package demo

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"marcador/auth"
	"marcador/live"
)

const (
	past     = 7 * 24 * time.Hour // how much of the school's history is made up
	exercise = 45 * time.Second   // how long one takes, on average
	studying = 0.15               // share of the students who are at it at a time
)

// Clock is a clock that runs behind until it is caught up with the world's: the
// school's past is written with it. Safe for concurrent use.
type Clock struct{ behind atomic.Int64 }

// NewClock returns a clock that is as far behind as the school's past is long.
func NewClock() *Clock {
	c := &Clock{}
	c.behind.Store(int64(past))
	return c
}

// Now is the time by this clock.
func (c *Clock) Now() time.Time { return time.Now().Add(-time.Duration(c.behind.Load())) }

// School gives its students points, through the same door as anybody else.
type School struct {
	live     *live.Service
	verifier *auth.Verifier
	log      *slog.Logger
	students []student
	byID     map[string]*student
	boards   map[string]string // names of the groups' boards
	rng      *rand.Rand        // Fill's and Run's
}

// New returns a school of n students, who are the same each time.
func New(service *live.Service, verifier *auth.Verifier, log *slog.Logger, n int) *School {
	s := &School{
		live: service, verifier: verifier, log: log,
		rng: rand.New(rand.NewPCG(4, 2)), //nolint:gosec // it plays; it guards nothing
	}
	s.students = enrol(s.rng, n)
	s.boards = boards(s.students)
	s.byID = make(map[string]*student, n)
	for i := range s.students {
		s.byID[s.students[i].UserID] = &s.students[i]
	}
	return s
}

// Fill enrols the students and writes the school's past, moving clock up to the
// present.
func (s *School) Fill(ctx context.Context, clock *Clock) error {
	const perCall = 1000
	for from := 0; from < len(s.students); from += perCall {
		var profiles []live.Profile
		var starts []live.Update
		for _, st := range s.students[from:min(from+perCall, len(s.students))] {
			profiles = append(profiles, st.profile)
			starts = append(starts, live.Update{UserID: st.UserID, XP: st.start, MLCoins: st.start / 10, Reason: "last term"})
		}
		if _, err := s.live.PutProfiles(ctx, profiles); err != nil {
			return fmt.Errorf("enrol students: %w", err)
		}
		if _, err := s.live.AddPoints(ctx, []live.Write{{Updates: starts}}); err != nil {
			return fmt.Errorf("write the past: %w", err)
		}
	}
	const step = time.Hour
	for behind := past - step; behind > 0; behind -= step {
		clock.behind.Store(int64(behind))
		var updates []live.Update
		for range s.rng.IntN(len(s.students)/6 + 1) {
			updates = append(updates, s.homework(s.somebody()))
		}
		if len(updates) == 0 {
			continue
		}
		if _, err := s.live.AddPoints(ctx, []live.Write{{Updates: updates}}); err != nil {
			return fmt.Errorf("write the past: %w", err)
		}
	}
	clock.behind.Store(0)
	return nil
}

// Run has students complete exercises until ctx is done: unevenly, now and then
// some at once, as when a lesson ends.
func (s *School) Run(ctx context.Context) {
	mean := time.Duration(float64(exercise) / (studying * float64(len(s.students))))
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		updates := []live.Update{s.homework(s.somebody())}
		for s.rng.Float64() < 0.25 {
			updates = append(updates, s.homework(s.somebody()))
		}
		if _, err := s.live.AddPoints(ctx, []live.Write{{Updates: updates}}); err != nil && ctx.Err() == nil {
			s.log.Error("simulated exercise", "error", err)
		}
		timer.Reset(time.Duration(s.rng.ExpFloat64() * float64(mean)))
	}
}

// somebody is more likely a zealous student than another.
func (s *School) somebody() *student {
	for {
		st := &s.students[s.rng.IntN(len(s.students))]
		if s.rng.Float64()*6 < st.zeal {
			return st
		}
	}
}

func (s *School) homework(st *student) live.Update { return exerciseOf(st.UserID, s.rng.IntN) }

// exerciseOf is what an exercise gives: 20 to 120 points.
func exerciseOf(userID string, intN func(int) int) live.Update {
	xp := int64(20 + 5*intN(21))
	return live.Update{UserID: userID, XP: xp, MLCoins: xp / 10, Reason: fmt.Sprintf("exercise:%d", 1+intN(400))}
}
