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
	"marcador/store"
)

const (
	past     = 7 * 24 * time.Hour // how long the invented history is
	exercise = 45 * time.Second   // how long an exercise takes, on average
	studying = 0.15               // share of the students who study at the same time
)

// Clock runs behind the real time while Fill writes the school's history, and then shows the real
// time. Safe for concurrent use.
type Clock struct{ behind atomic.Int64 }

// NewClock returns a clock that is at the beginning of the school's history.
func NewClock() *Clock {
	c := &Clock{}
	c.behind.Store(int64(past))
	return c
}

// Now returns the clock's time.
func (c *Clock) Now() time.Time { return time.Now().Add(-time.Duration(c.behind.Load())) }

// School gives its students points, through the same methods as the API.
type School struct {
	live     *live.Service
	verifier *auth.Verifier
	log      *slog.Logger
	students []student
	byID     map[string]*student
	boards   map[string]string // titles of the groups' boards
	rng      *rand.Rand        // used by Fill, and then by Run
}

// New returns a school of n students. They are the same students each time.
func New(service *live.Service, verifier *auth.Verifier, log *slog.Logger, n int) *School {
	s := &School{
		live: service, verifier: verifier, log: log,
		rng: rand.New(rand.NewPCG(4, 2)), //nolint:gosec // it need not be secret
	}
	s.students = enrol(s.rng, n)
	s.boards = boards(s.students)
	s.byID = make(map[string]*student, n)
	for i := range s.students {
		s.byID[s.students[i].UserID] = &s.students[i]
	}
	return s
}

// Fill enrols the students and writes the school's history. It moves the clock up to the present.
func (s *School) Fill(ctx context.Context, clock *Clock) error {
	const perCall = 1000
	for from := 0; from < len(s.students); from += perCall {
		var profiles []store.Profile
		var starts []store.Update
		for _, st := range s.students[from:min(from+perCall, len(s.students))] {
			profiles = append(profiles, st.profile)
			starts = append(starts, store.Update{UserID: st.UserID, XP: st.start, MLCoins: st.start / 10, Reason: "last term"})
		}
		if _, err := s.live.PutProfiles(ctx, profiles); err != nil {
			return fmt.Errorf("enrol students: %w", err)
		}
		if _, err := s.live.AddPoints(ctx, []store.Write{{Updates: starts}}); err != nil {
			return fmt.Errorf("write the past: %w", err)
		}
	}
	const step = time.Hour
	for behind := past - step; behind > 0; behind -= step {
		clock.behind.Store(int64(behind))
		var updates []store.Update
		for range s.rng.IntN(len(s.students)/6 + 1) {
			updates = append(updates, s.homework(s.somebody()))
		}
		if len(updates) == 0 {
			continue
		}
		if _, err := s.live.AddPoints(ctx, []store.Write{{Updates: updates}}); err != nil {
			return fmt.Errorf("write the past: %w", err)
		}
	}
	clock.behind.Store(0)
	return nil
}

// Run lets students complete exercises until ctx is done. They come at random, and sometimes
// several at once, as at the end of a lesson.
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
		updates := []store.Update{s.homework(s.somebody())}
		for s.rng.Float64() < 0.25 {
			updates = append(updates, s.homework(s.somebody()))
		}
		if _, err := s.live.AddPoints(ctx, []store.Write{{Updates: updates}}); err != nil && ctx.Err() == nil {
			s.log.Error("simulated exercise", "error", err)
		}
		timer.Reset(time.Duration(s.rng.ExpFloat64() * float64(mean)))
	}
}

// somebody returns a random student. Students with more zeal are more likely.
func (s *School) somebody() *student {
	for {
		st := &s.students[s.rng.IntN(len(s.students))]
		if s.rng.Float64()*6 < st.zeal {
			return st
		}
	}
}

func (s *School) homework(st *student) store.Update { return exerciseOf(st.UserID, s.rng.IntN) }

// exerciseOf returns the points of an exercise: 20 to 120.
func exerciseOf(userID string, intN func(int) int) store.Update {
	xp := int64(20 + 5*intN(21))
	return store.Update{UserID: userID, XP: xp, MLCoins: xp / 10, Reason: fmt.Sprintf("exercise:%d", 1+intN(400))}
}
