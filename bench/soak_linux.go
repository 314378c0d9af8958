package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	soakStreams   = 500 // long streams
	soakChurn     = 20  // short streams a second
	soakRows      = 12  // rows of the table
	soakWarm      = 60  // writing before the run takes this part of its time
	soakThrottle  = "250ms"
	soakCaught    = 10 * time.Second // each stream has the last state after this time
	flatFrom      = 10 * time.Minute // in a shorter run memory may grow
	flatGrowth    = 1.10             // growth up to this factor, and by these, is tolerated
	flatBytes     = 8 << 20
	soakSampling  = time.Second
	soakGoodbye   = 10 * time.Second
	soakSpareFDs  = 32
	soakSpareGoes = 32
)

// state describes the service during a part of the run.
type state struct {
	at         time.Duration // end of the part, since the beginning of the run
	updates    int64         // updates that were acknowledged
	p99        time.Duration // of requests that write
	rss        int64         // bytes, at the end of the part
	heap       int64         // bytes, the lowest value, which has the least garbage
	goroutines int64         // the highest value
	files      int64         // open files, the highest value
	database   int64         // bytes of file and log, at the end of the part
}

// soak runs the service for a long time under every kind of load at once. It fails if a request or
// a stream fails, if points are missing, or if memory, goroutines or open files grow.
func (b *bench) soak(ctx context.Context) ([]*table, error) {
	s, err := b.program.start(ctx, "--throttle", soakThrottle, "--metrics-addr", "127.0.0.1:0", "--max-streams-per-user", "64")
	if err != nil {
		return nil, err
	}
	load := newTraffic(s)
	states, err := b.soaked(ctx, s, load)
	err = errors.Join(err, s.stop())
	if err == nil {
		err = grows(states, b.soakTime)
	}
	t := &table{
		title: "soak",
		intro: fmt.Sprintf("%s of every kind of load at once: %d long streams (snapshots and differences), %d short streams a second, about %d updates a second by %d callers, a quarter of the requests sent twice with one key, reads of pages, histories and profiles, and users who come, find a friend, win points and are erased. "+
			"No request and no stream failed. At the end each user's points were the sum of the acknowledged updates, `marcador verify` found no difference, and `PRAGMA integrity_check` found no damage. Heap is the lowest value of each part; goroutines and files are the highest.",
			b.soakTime, soakStreams, soakChurn, writersRate, writers),
		head: []string{"after", "updates", "p99", "RSS", "heap", "goroutines", "open files", "database"},
	}
	for _, st := range states {
		t.add(st.at.Round(time.Second).String(), fmt.Sprint(st.updates), millis(float64(st.p99)), megabytes(st.rss), megabytes(st.heap),
			fmt.Sprint(st.goroutines), fmt.Sprint(st.files), megabytes(st.database))
	}
	return []*table{t}, err
}

// soaked runs the load, and then compares the database with the acknowledged updates.
func (b *bench) soaked(ctx context.Context, s *service, load *traffic) (_ []state, err error) {
	if err := s.enrol(ctx, writePeople); err != nil {
		return nil, err
	}
	// SQLite's page cache grows with the file until it is full. This fills it.
	if _, _, err := s.load(ctx, writeCallers, writeBatch, b.soakTime/soakWarm); err != nil {
		return nil, err
	}
	if err := load.begin(ctx); err != nil {
		return nil, err
	}
	p, err := newPool(b.loops)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	var gone failures
	var leaving atomic.Bool // they may go
	stay := [2]*group{b.clients(p, "marcador", s, stream{}), b.clients(p, "marcador", s, stream{diff: true})}
	var newest [2]latest
	for i, g := range stay {
		newest[i].of = make([]int64, soakStreams/len(stay))
		g.onEvent = newest[i].record
		g.onGone = func(*client, int64) {
			if !leaving.Load() {
				gone.add(errors.New("a stream ended"))
			}
		}
		if err := g.open(ctx, soakStreams/len(stay)); err != nil {
			return nil, err
		}
	}
	guests := b.clients(p, "marcador", s, stream{})
	guests.source = churnSource
	guests.onReady = func(c *client) { c.close() }

	running, stop := context.WithCancel(ctx)
	var all sync.WaitGroup
	all.Go(func() { guests.invite(running, soakChurn) })
	all.Go(func() { load.run(running) })
	states, err := b.sample(ctx, s, load, stay[:])
	stop()
	all.Wait()
	if err = errors.Join(err, load.failed.first(), guests.failure()); err != nil {
		return states, err
	}
	version, err := load.last(ctx)
	if err != nil {
		return states, err
	}
	if err := caughtUp(ctx, version, newest[:]); err != nil {
		return states, err
	}
	if err := errors.Join(gone.first(), load.compare(ctx)); err != nil {
		return states, err
	}
	leaving.Store(true)
	return states, s.retire(ctx)
}

// sample watches the service during the run.
func (b *bench) sample(ctx context.Context, s *service, load *traffic, streams []*group) (states []state, err error) {
	begin := time.Now()
	for row := range soakRows {
		end := begin.Add(b.soakTime * time.Duration(row+1) / soakRows)
		st := state{heap: 1 << 62}
		for time.Now().Before(end) {
			if err := pause(ctx, min(soakSampling, time.Until(end))); err != nil {
				return states, err
			}
			m, err := s.scrape(ctx)
			if err != nil {
				return states, err
			}
			st.heap = min(st.heap, int64(m["go_memstats_heap_alloc_bytes"]))
			st.goroutines = max(st.goroutines, int64(m["go_goroutines"]))
			st.files = max(st.files, int64(m["process_open_fds"]))
			if err := load.failed.first(); err != nil {
				return states, err
			}
		}
		for _, g := range streams {
			g.settle() // nobody needs what was received
		}
		st.at = time.Since(begin)
		st.updates, st.p99 = load.take()
		if st.rss, err = resident(s.pid()); err != nil {
			return states, err
		}
		for _, suffix := range []string{"", "-wal"} {
			if info, err := os.Stat(s.database() + suffix); err == nil {
				st.database += info.Size()
			}
		}
		states = append(states, st)
		b.progress("soak %s: %d updates, p99 %s, RSS %s, heap %s, %d goroutines, %d files", st.at.Round(time.Second), st.updates,
			millis(float64(st.p99)), megabytes(st.rss), megabytes(st.heap), st.goroutines, st.files)
	}
	return states, nil
}

// grows returns an error if the service took more in the last quarter of the run than in the second
// quarter, when it had warmed up.
func grows(states []state, d time.Duration) error {
	if len(states) < soakRows {
		return errors.New("soak: the run was interrupted")
	}
	early, late := states[soakRows/4:soakRows/2], states[soakRows*3/4:]
	middle := func(part []state, of func(state) int64) float64 {
		var all []float64
		for _, st := range part {
			all = append(all, float64(of(st)))
		}
		return median(all)
	}
	var err error
	for _, c := range []struct {
		what  string
		of    func(state) int64
		spare float64
		from  time.Duration
	}{
		{"RSS", func(st state) int64 { return st.rss }, flatBytes, flatFrom},
		{"the heap", func(st state) int64 { return st.heap }, flatBytes, flatFrom},
		{"the number of goroutines", func(st state) int64 { return st.goroutines }, soakSpareGoes, 0},
		{"the number of open files", func(st state) int64 { return st.files }, soakSpareFDs, 0},
	} {
		was, is := middle(early, c.of), middle(late, c.of)
		if d >= c.from && is > was*flatGrowth+c.spare {
			err = errors.Join(err, fmt.Errorf("soak: %s grew from %.0f to %.0f", c.what, was, is))
		}
	}
	return err
}

// latest has the newest version that each stream of a group has received.
type latest struct {
	mu sync.Mutex
	of []int64 // guarded by mu
}

func (l *latest) record(c *client, e event, _ int64) {
	if e.kind == boardEvent {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.of[c.n] = max(l.of[c.n], e.version)
	}
}

func (l *latest) lowest() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Min(l.of)
}

// caughtUp returns when each stream has received the version.
func caughtUp(ctx context.Context, version int64, groups []latest) error {
	for end := time.Now().Add(soakCaught); ; {
		behind := version
		for i := range groups {
			behind = min(behind, groups[i].lowest())
		}
		if behind >= version {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("after %s a stream is at version %d, not at %d", soakCaught, behind, version)
		}
		if err := pause(ctx, 10*time.Millisecond); err != nil {
			return err
		}
	}
}

// retire ends the service as an operator does, and then verifies its database.
func (s *service) retire(ctx context.Context) error {
	if err := s.terminate(); err != nil {
		return err
	}
	select {
	case <-s.exited:
	case <-time.After(soakGoodbye):
		return fmt.Errorf("the process had not ended after %s", soakGoodbye)
	}
	if s.err != nil {
		return fmt.Errorf("marcador ended: %w: %s", s.err, s.said.String())
	}
	return s.program.verify(ctx, s.database())
}

func (s *service) database() string { return filepath.Join(s.folder, "m.db") }

func megabytes(b int64) string { return fmt.Sprintf("%.1f MB", float64(b)/1e6) }
