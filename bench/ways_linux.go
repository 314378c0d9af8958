package main

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The goals of each way, and the number of pages and events that are measured for each board and
// kind of stream. Measuring ends earlier if it has taken wayTime.
const (
	pageGoal  = 100 * time.Millisecond
	eventGoal = 50 * time.Millisecond

	wayPages  = 50
	wayEvents = 100
	wayTime   = time.Second
)

// wayBoard is a board that is measured.
type wayBoard struct {
	name   string
	rows   int
	avatar int // bytes of each avatar; 0 leaves the avatars alone
}

// wayBoards are the smallest and the largest boards that are common.
var wayBoards = []wayBoard{
	{"3 rows", 3, 0},
	{"100 rows, avatars of 2 KB", 100, 2048},
}

// wayKinds are the kinds of streams that are measured.
var wayKinds = []stream{{}, {gzip: true}, {diff: true}}

// ways measures when a single client has a first page and an event, on each way, without other
// load.
func (b *bench) ways(ctx context.Context) ([]*table, error) {
	t := &table{
		title: "ways",
		intro: fmt.Sprintf("One stream, without other load. The time of a first page is from before the connection until the page is read, over %d streams of each kind. "+
			"The time of an event is from its broadcast, which the log has, until the event is read; then the next one is published: %d of each kind, or as many as fit into %s. "+
			"The goals are %d ms for a first page and %d ms for an event at p99; a remark names each miss.",
			wayPages, wayEvents, wayTime, pageGoal.Milliseconds(), eventGoal.Milliseconds()),
		head: []string{"way", "board", "page, p50", "p99"},
	}
	for _, kind := range wayKinds {
		t.head = append(t.head, kind.String()+", p50", "p99")
	}
	t.remark("HAProxy as it comes delays the end of each event by 200 ms in HTTP/1.1. With `option http-no-delay` it sends at once.")
	for _, board := range wayBoards {
		srv, err := b.program.start(ctx, "--top", strconv.Itoa(board.rows))
		if err != nil {
			return nil, err
		}
		err = srv.paint(ctx, board.avatar)
		for _, f := range fronts {
			if err != nil {
				break
			}
			if f.program != "" && f.installed() == "" {
				t.remark("%s is not installed here, so “%s” is left out.", f.program, f.name)
				continue
			}
			b.progress("ways: %s, %s", f.name, board.name)
			err = b.way(ctx, t, srv, f, board)
		}
		if err := errors.Join(err, srv.stop()); err != nil {
			return nil, fmt.Errorf("ways: %w", err)
		}
	}
	return []*table{t}, nil
}

// paint gives all users avatars of size bytes, unless size is 0.
func (s *service) paint(ctx context.Context, size int) error {
	if size == 0 {
		return nil
	}
	const kind = "data:image/png;base64,"
	var profiles []map[string]any
	for n := range people {
		p := profile(n)
		p["avatar"] = kind + strings.Repeat("A", size-len(kind))
		profiles = append(profiles, p)
	}
	var answer any
	return s.post(ctx, "/v1/users", map[string]any{"users": profiles}, &answer)
}

// way measures one way to the service and adds a row to the table.
func (b *bench) way(ctx context.Context, t *table, srv *service, f front, board wayBoard) (err error) {
	to := net.JoinHostPort("127.0.0.1", strconv.Itoa(srv.at.Port))
	addr, stop, err := f.open(ctx, b.folder, to)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	over := transports[f.ahead]()
	var pages []int64
	cells := []string{f.name, board.name}
	for _, kind := range wayKinds {
		took, err := b.firstPages(ctx, over, addr, kind)
		if err != nil {
			return fmt.Errorf("%s, %s: %w", f.name, kind, err)
		}
		pages = append(pages, took...)
		if took, err = b.events(ctx, srv, board, over, addr, kind); err != nil {
			return fmt.Errorf("%s, %s: %w", f.name, kind, err)
		}
		late := quantile(took, 0.99)
		cells = append(cells, millis(float64(quantile(took, 0.5))), millis(float64(late)))
		if late > eventGoal.Nanoseconds() && !f.delays {
			t.remark("Missed: %s, %s, %s.", f.name, board.name, kind)
		}
	}
	slices.Sort(pages)
	late := quantile(pages, 0.99)
	if late > pageGoal.Nanoseconds() && !f.delays {
		t.remark("Missed: %s, %s, first page.", f.name, board.name)
	}
	t.add(slices.Insert(cells, 2, millis(float64(quantile(pages, 0.5))), millis(float64(late)))...)
	return nil
}

// firstPages opens streams, one after the other, and returns the time from opening to the first
// page.
func (b *bench) firstPages(ctx context.Context, over http.RoundTripper, addr string, kind stream) (took []int64, err error) {
	for began := time.Now(); len(took) < wayPages && time.Since(began) < wayTime; {
		at := time.Now()
		s, err := b.listenOver(ctx, over, addr, kind, len(took))
		if err != nil {
			return nil, err
		}
		took = append(took, time.Since(at).Nanoseconds())
		s.close()
	}
	return took, nil
}

// events returns the times from broadcast to reading, sorted.
func (b *bench) events(ctx context.Context, srv *service, board wayBoard, over http.RoundTripper, addr string, kind stream) (took []int64, err error) {
	s, err := b.listenOver(ctx, over, addr, kind, 0)
	if err != nil {
		return nil, err
	}
	defer s.close()
	event := "leaderboard:updated"
	if kind.diff {
		event = "position_change"
	}
	var published []publication
	var read []int64
	for began := time.Now(); len(read) < warmUp+wayEvents && (len(read) < warmUp+10 || time.Since(began) < wayTime); {
		p, err := srv.publishOf(ctx, board.rows)
		if err != nil {
			return nil, err
		}
		if err := s.until(event); err != nil {
			return nil, err
		}
		published, read = append(published, p), append(read, time.Now().UnixNano())
	}
	if err := pause(ctx, 50*time.Millisecond); err != nil { // until the log is read
		return nil, err
	}
	for i := warmUp; i < len(read); i++ {
		took = append(took, read[i]-srv.publishedAt(published[i]))
	}
	slices.Sort(took)
	return took, nil
}

// reading is a stream that is read event by event.
type reading struct {
	lines *bufio.Reader
	close func()
}

// listenOver opens a stream of client n and reads it up to its first page.
func (b *bench) listenOver(ctx context.Context, over http.RoundTripper, addr string, kind stream, n int) (*reading, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	url := "http://" + addr + "/v1/events?board=global"
	if kind.diff {
		url += "&mode=diff"
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		cancel()
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+b.program.tokens[n%len(b.program.tokens)])
	r.Header.Set("Accept-Encoding", "identity")
	if kind.gzip {
		r.Header.Set("Accept-Encoding", "gzip")
	}
	res, err := over.RoundTrip(r) //nolint:bodyclose // close does it
	if err != nil {
		cancel()
		return nil, err
	}
	s := &reading{close: func() { cancel(); _ = res.Body.Close() }} // the data no longer matters
	if res.StatusCode != http.StatusOK {
		s.close()
		return nil, errors.New(res.Status)
	}
	var body io.Reader = res.Body
	if kind.gzip {
		if body, err = gzip.NewReader(body); err != nil {
			s.close()
			return nil, err
		}
	}
	s.lines = bufio.NewReader(body)
	if err := s.until("leaderboard:updated"); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// until reads up to the end of the next event with the name.
func (s *reading) until(event string) error {
	for is := false; ; {
		line, err := s.lines.ReadSlice('\n')
		switch {
		case errors.Is(err, bufio.ErrBufferFull): // a long line: skip the rest
			_, err = s.lines.ReadBytes('\n')
		case is && len(line) == 1:
			return err
		case strings.HasPrefix(string(line), "event: "):
			is = string(line[len("event: "):len(line)-1]) == event
		}
		if err != nil {
			return err
		}
	}
}
