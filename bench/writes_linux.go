package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

const (
	writePeople  = 1000
	writeCallers = 64
	writeBatch   = 100
	writeTime    = 5 * time.Second // how long each measurement takes
)

// writes measures how many durable updates a second the service accepts over HTTP, compared with
// the database alone.
func (b *bench) writes(ctx context.Context) ([]*table, error) {
	t := &table{
		title: "writes",
		intro: fmt.Sprintf("Updates a second for %d users. Each is committed and fsynced before it is answered. **bare SQLite** is a loop of the same three statements in transactions of %d, on a database of marcador, without anybody to answer. marcador is called over HTTP by %d callers, each with one request at a time, which share the cores with it. Times are from a request to its answer.", writePeople, writeBatch, writeCallers),
		head:  []string{"", "updates/s", "× bare", "p50", "p99", "CPU an update"},
	}
	results := map[string]series{"bare": {}, "one": {}, "batch": {}}
	for run := range b.count {
		if err := b.writesOnce(ctx, run, results); err != nil {
			return nil, fmt.Errorf("writes: %w", err)
		}
	}
	for _, row := range []struct{ name, label string }{
		{"bare", fmt.Sprintf("bare SQLite, %d a transaction", writeBatch)},
		{"one", "marcador, one update a request"},
		{"batch", fmt.Sprintf("marcador, %d updates a request", writeBatch)},
	} {
		s := results[row.name]
		p50, p99, cpu := "–", "–", "–"
		if s.has("p99") {
			p50, p99, cpu = millis(s.median("p50")), millis(s.median("p99")), micros(s.median("cpu"))
		}
		t.add(row.label, fmt.Sprintf("%.0f", s.median("rate")), times(s.median(against("rate"))), p50, p99, cpu)
	}
	return []*table{t}, nil
}

func (b *bench) writesOnce(ctx context.Context, run int, results map[string]series) error {
	b.progress("writes %d/%d: bare SQLite", run+1, b.count)
	bare, err := b.bareWrites(ctx)
	if err != nil {
		return err
	}
	results["bare"].add("rate", bare)
	results["bare"].add(against("rate"), 1)
	for _, kind := range []struct {
		name  string
		batch int
	}{{"one", 1}, {"batch", writeBatch}} {
		b.progress("writes %d/%d: marcador, %d updates a request", run+1, b.count, kind.batch)
		m, err := b.servedWrites(ctx, kind.batch)
		if err != nil {
			return err
		}
		for metric, value := range m {
			results[kind.name].add(metric, value)
		}
		results[kind.name].add(against("rate"), m["rate"]/bare)
	}
	return nil
}

// bareWrites returns how many updates a second SQLite alone accepts.
func (b *bench) bareWrites(ctx context.Context) (_ float64, err error) {
	s, err := b.program.start(ctx)
	if err != nil {
		return 0, err
	}
	err = errors.Join(s.enrol(ctx, writePeople), s.terminate())
	<-s.exited
	defer func() { err = errors.Join(err, os.RemoveAll(s.folder)) }()
	if err != nil {
		return 0, err
	}
	bare, err := openBareSQLite(ctx, filepath.Join(s.folder, "m.db"))
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, bare.close()) }()
	if _, err := bare.run(ctx, writeBatch, time.Second); err != nil { // warms the caches
		return 0, err
	}
	begin := time.Now()
	n, err := bare.run(ctx, writeBatch, writeTime)
	return float64(n) / time.Since(begin).Seconds(), err
}

// servedWrites measures the service with requests of batch updates.
func (b *bench) servedWrites(ctx context.Context, batch int) (_ map[string]float64, err error) {
	s, err := b.program.start(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	if err := s.enrol(ctx, writePeople); err != nil {
		return nil, err
	}
	if _, _, err := s.load(ctx, writeCallers, batch, time.Second); err != nil {
		return nil, err
	}
	before, err := cpuTime(s.pid())
	if err != nil {
		return nil, err
	}
	begin := time.Now()
	updates, took, err := s.load(ctx, writeCallers, batch, writeTime)
	if err != nil {
		return nil, err
	}
	elapsed := time.Since(begin)
	after, err := cpuTime(s.pid())
	if err != nil {
		return nil, err
	}
	return map[string]float64{
		"rate": float64(updates) / elapsed.Seconds(), "cpu": float64(after-before) / float64(updates),
		"p50": float64(quantile(took, 0.5)), "p99": float64(quantile(took, 0.99)),
	}, nil
}

// enrol creates n users.
func (s *service) enrol(ctx context.Context, n int) error {
	for chunk := range slices.Chunk(make([]struct{}, n), 1000) {
		var profiles []map[string]any
		for i := range chunk {
			profiles = append(profiles, profile(i))
		}
		var answer any
		if err := s.post(ctx, "/v1/users", map[string]any{"users": profiles}, &answer); err != nil {
			return err
		}
	}
	return nil
}

// load lets callers write for the time d. Each caller sends its next request when the last one is
// answered. load returns the number of acknowledged updates and the time of each request, sorted.
// Any answer but a 2xx is an error.
func (s *service) load(ctx context.Context, callers, batch int, d time.Duration) (updates int, took []time.Duration, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, d, errOver)
	defer cancel()
	var next atomic.Int64
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			mine, failure := s.write(ctx, &next, batch)
			mu.Lock()
			defer mu.Unlock()
			took = append(took, mine...)
			err = errors.Join(err, failure)
		})
	}
	wg.Wait()
	if cause := context.Cause(ctx); !errors.Is(cause, errOver) {
		err = errors.Join(err, cause)
	}
	slices.Sort(took)
	return len(took) * batch, took, err
}

// errOver is the cause that ends a load in good order.
var errOver = errors.New("the time is over")

// write is one caller of load.
func (s *service) write(ctx context.Context, next *atomic.Int64, batch int) (took []time.Duration, err error) {
	c, err := s.call()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	var body []byte
	for ctx.Err() == nil {
		var path string
		first := int(next.Add(int64(batch))) - batch
		path, body = request(body[:0], first, batch)
		begin := time.Now()
		status, answer, err := c.post(path, body)
		if err != nil {
			return took, err
		}
		if status/100 != 2 {
			return took, fmt.Errorf("POST %s: %d %s", path, status, answer)
		}
		took = append(took, time.Since(begin))
	}
	return took, nil
}

// request appends the body of a write that gives one point to each of batch users, and returns the
// path to send it to.
func request(body []byte, first, batch int) (path string, _ []byte) {
	if batch == 1 {
		return "/v1/users/" + personIDs()[first*37%writePeople] + "/xp", append(body, `{"xp":1,"reason":"exercise:1"}`...)
	}
	body = append(body, `{"updates":[`...)
	for i := range batch {
		if i > 0 {
			body = append(body, ',')
		}
		body = append(body, `{"userId":"`...)
		body = append(body, personIDs()[(first+i)*37%writePeople]...)
		body = append(body, `","xp":1,"reason":"exercise:`...)
		body = append(strconv.AppendInt(body, int64(i), 10), `"}`...)
	}
	return "/v1/xp", append(body, `]}`...)
}

// personIDs returns the ids of the users that get points.
var personIDs = sync.OnceValue(func() []string {
	ids := make([]string, writePeople)
	for i := range ids {
		ids[i] = personID(i)
	}
	return ids
})
