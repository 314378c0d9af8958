package main

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	writers      = 8
	writersRate  = 600 // updates a second of all writers
	readersEvery = 20 * time.Millisecond
	guestsEvery  = 500 * time.Millisecond
)

// traffic is a load of every kind at once, with a record of the acknowledged updates. All writers
// give points to all users.
type traffic struct {
	s      *service
	failed failures

	mu    sync.Mutex
	given []int64         // guarded by mu: acknowledged points of each user
	took  []time.Duration // guarded by mu: times of writing requests since take
	count int64           // guarded by mu: updates since take
}

func newTraffic(s *service) *traffic { return &traffic{s: s, given: make([]int64, writePeople)} }

// begin begins the record with the users' present points.
func (l *traffic) begin(ctx context.Context) error {
	for i := range l.given {
		xp, err := l.points(ctx, i)
		if err != nil {
			return err
		}
		l.given[i] = xp
	}
	return nil
}

// compare compares the totals of the service with the record.
func (l *traffic) compare(ctx context.Context) error {
	for i, want := range l.given {
		got, err := l.points(ctx, i)
		if err != nil {
			return err
		}
		if got != want {
			return fmt.Errorf("%s has %d points, but %d were acknowledged", personID(i), got, want)
		}
	}
	return nil
}

func (l *traffic) points(ctx context.Context, i int) (int64, error) {
	var user struct {
		XP int64 `json:"xp"`
	}
	err := l.s.ask(ctx, http.MethodGet, "/v1/users/"+personIDs()[i], nil, &user)
	return user.XP, err
}

// run loads the service until ctx is done.
func (l *traffic) run(ctx context.Context) {
	var all sync.WaitGroup
	for n := range writers {
		all.Go(func() { l.failed.add(l.write(ctx, n)) })
	}
	for n := range 2 {
		all.Go(func() { l.failed.add(l.every(ctx, readersEvery, func(i int) error { return l.read(ctx, 2*i+n) })) })
	}
	all.Go(func() { l.failed.add(l.every(ctx, guestsEvery, func(i int) error { return l.guest(ctx, i) })) })
	all.Wait()
}

// every calls fn with 0, 1, 2 … until ctx is done or it fails.
func (l *traffic) every(ctx context.Context, d time.Duration, fn func(int) error) error {
	for i := 0; pause(ctx, d) == nil; i++ {
		if err := fn(i); err != nil && ctx.Err() == nil {
			return err
		}
	}
	return nil
}

// write is one writer. Its requests alternate between one update, ten updates, and one update with
// a key that is sent twice.
func (l *traffic) write(ctx context.Context, n int) (err error) {
	c, err := l.s.call()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	begin, sent := time.Now(), 0
	for round := 0; ctx.Err() == nil; round++ {
		ahead := time.Duration(sent)*time.Second*writers/writersRate - time.Since(begin)
		if ahead > 0 && pause(ctx, ahead) != nil {
			return nil
		}
		batch, times, first := 1, 1, (n*7919+round)*11
		if round%4 == 0 {
			batch = 10
		}
		path, body := request(nil, first, batch)
		if round%4 == 1 {
			times = 2
			path, body = "/v1/xp", fmt.Appendf(nil, `{"updates":[{"userId":%q,"xp":1,"key":"%d-%d"}]}`, personIDs()[first*37%writePeople], n, round)
		}
		for range times {
			asked := time.Now()
			status, answer, err := c.post(path, body)
			if err != nil {
				return fmt.Errorf("POST %s: %w", path, err)
			}
			if status/100 != 2 {
				return fmt.Errorf("POST %s: %d %s", path, status, answer)
			}
			l.mu.Lock()
			l.took = append(l.took, time.Since(asked))
			l.mu.Unlock()
		}
		l.mu.Lock()
		for i := range batch {
			l.given[(first+i)*37%writePeople]++
		}
		l.count += int64(batch)
		l.mu.Unlock()
		sent += batch
	}
	return nil
}

// last writes a last update and returns its version, which every stream has to reach.
func (l *traffic) last(ctx context.Context) (version int64, err error) {
	var done struct {
		Version int64 `json:"version"`
	}
	if err := l.s.post(ctx, "/v1/users/"+personIDs()[0]+"/xp", map[string]any{"xp": 1}, &done); err != nil {
		return 0, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.given[0]++
	return done.Version, nil
}

// take returns the number of updates since the last call, and the p99 of their requests.
func (l *traffic) take() (updates int64, p99 time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	slices.Sort(l.took)
	updates, p99 = l.count, quantile(l.took, 0.99)
	l.count, l.took = 0, l.took[:0]
	return updates, p99
}

// read reads one of the things that people look at.
func (l *traffic) read(ctx context.Context, i int) error {
	who := personIDs()[i*13%writePeople]
	paths := []string{
		"/v1/leaderboards/global?limit=100", "/v1/leaderboards/global?around=" + who,
		"/v1/users/" + who, "/v1/users/" + who + "/history?limit=20",
		"/v1/leaderboards/school:1?period=daily", "/v1/leaderboards/friends:" + who,
	}
	var answer json.RawMessage
	return l.s.ask(ctx, http.MethodGet, paths[i%len(paths)], nil, &answer)
}

// guest is a user who comes, finds a friend, wins points, is renamed, and is erased.
func (l *traffic) guest(ctx context.Context, i int) error {
	path := "/v1/users/guest-" + strconv.Itoa(i%50)
	var answer json.RawMessage
	for _, step := range []struct {
		method, path string
		body         any
	}{
		{http.MethodPut, path, map[string]any{"username": "Guest", "groups": map[string]any{"school": []string{"1"}}}},
		{http.MethodPut, path + "/friends/" + personIDs()[i%writePeople], nil},
		{http.MethodPost, path + "/xp", map[string]any{"xp": 1 + i%20_000}},
		{http.MethodPut, path, map[string]any{"username": "Gast " + strconv.Itoa(i), "groups": map[string]any{"school": []string{"2"}}}},
		{http.MethodDelete, path, nil},
	} {
		if err := l.s.ask(ctx, step.method, step.path, step.body, &answer); err != nil {
			return err
		}
	}
	return nil
}

// failures remembers the first failure.
type failures struct {
	mu  sync.Mutex
	err error // guarded by mu
}

func (f *failures) add(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil {
		f.err = err
	}
}

func (f *failures) first() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}

// scrape returns the metrics that have no labels.
func (s *service) scrape(ctx context.Context) (map[string]float64, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.metrics+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	response, err := s.web.Do(r)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	all := map[string]float64{}
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), " ")
		if n, err := strconv.ParseFloat(value, 64); err == nil {
			all[name] = n
		}
	}
	return all, lines.Err()
}

// verify runs `marcador verify` and SQLite's integrity check on a database.
func (p *program) verify(ctx context.Context, path string) error {
	cmd := exec.CommandContext(ctx, p.path, "verify", "--db", path) //nolint:gosec // our program
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("marcador verify: %w\n%s", err, out)
	}
	db, err := sql.Open("sqlite", path)
	if err != nil {
		return err
	}
	var verdict string
	err = db.QueryRowContext(ctx, `PRAGMA integrity_check`).Scan(&verdict)
	if err == nil && verdict != "ok" {
		err = fmt.Errorf("integrity_check: %s", verdict)
	}
	return errors.Join(err, db.Close())
}
