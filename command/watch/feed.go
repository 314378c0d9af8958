package watch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/r3labs/sse/v2"
)

const (
	// silence is how long a stream may send nothing. The service sends something every 30 s or more
	// often.
	silence = 45 * time.Second

	// firstWait is the wait before the first new attempt to connect. Each further attempt waits
	// twice as long, up to lastWait.
	firstWait = 500 * time.Millisecond
	lastWait  = 30 * time.Second

	// replacedWait is the wait after the service ended the stream because the user had opened a
	// newer one. A shorter wait would make two programs end each other's streams in turn.
	replacedWait = time.Minute

	// maxEvent is the size of the largest event, in bytes. A thousand rows with long names take
	// less.
	maxEvent = 8 << 20
)

// refusal is an error that trying again does not help.
type refusal struct{ message string }

func (r *refusal) Error() string { return r.message }

// later is an error after which the service says to try again.
type later struct {
	message string
	after   time.Duration // 0 if the service does not say when
}

func (l *later) Error() string { return l.message }

// feed is the connection to the service.
//
//	     ┌───────────── wait: twice as long each time, 30 s at most ◀──────┐
//	     ▼                                                                 │
//	connecting ──▶ live: tells each event, a watchdog waits for silence ──▶ broken
//	     │                                                                 │
//	     └──────────────▶ refused: 401, 403, no such board ◀───────────────┘
//
// A board that arrives resets the wait. A refusal ends the feed.
type feed struct {
	o      Options
	client *sse.Client
}

func newFeed(o Options) *feed {
	to := o.URL.JoinPath("v1", "events")
	to.RawQuery = url.Values{"board": {o.Board}, "period": {o.Period}}.Encode()
	f := &feed{o: o, client: sse.NewClient(to.String(), sse.ClientMaxBufferSize(maxEvent))}
	if o.Token != "" {
		f.client.Headers["Authorization"] = "Bearer " + o.Token
	}
	f.client.ReconnectStrategy = once{} // the client's own would not notice that ctx is done
	f.client.ResponseValidator = f.validate
	f.client.Connection.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return f
}

// once keeps the client from connecting again by itself. It implements backoff.BackOff.
type once struct{}

func (once) NextBackOff() time.Duration { return -1 }
func (once) Reset()                     {}

// run follows the board until ctx is done, or returns a *refusal.
func (f *feed) run(ctx context.Context, heard chan<- news) error {
	tell := func(n news) {
		select {
		case heard <- n:
		case <-ctx.Done():
		}
	}
	wait := firstWait
	for {
		live, err := f.connect(ctx, tell)
		if ctx.Err() != nil {
			return ctx.Err() //nolint:wrapcheck // the caller knows this error
		}
		if no, is := errors.AsType[*refusal](err); is {
			return no
		}
		if live {
			wait = firstWait
		}
		pause := wait/2 + rand.N(wait) //nolint:gosec // it need not be secret
		wait = min(2*wait, lastWait)
		if l, is := errors.AsType[*later](err); is {
			pause = max(pause, l.after)
		}
		reason := "the service closed it"
		if err != nil {
			reason = err.Error()
		}
		tell(news{status: fmt.Sprintf("no connection (%s); trying again in %s", reason, pause.Round(100*time.Millisecond))})
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
	}
}

// connect follows one stream until it ends, and reports whether a board arrived.
func (f *feed) connect(ctx context.Context, tell func(news)) (live bool, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watchdog := time.AfterFunc(silence, func() { cancel(fmt.Errorf("nothing came for %s", silence)) })
	defer watchdog.Stop()
	var ended error
	err = f.client.SubscribeRawWithContext(ctx, func(e *sse.Event) {
		watchdog.Reset(silence)
		n, failure := read(e)
		if failure != nil {
			ended = failure
			cancel(failure)
		}
		live = live || n.board != nil
		if n != (news{}) {
			tell(n)
		}
	})
	switch {
	case ended != nil:
		return live, ended
	case context.Cause(ctx) != nil:
		return live, context.Cause(ctx)
	}
	return live, err
}

// read returns what an event says. After an error the stream has to end.
func read(e *sse.Event) (n news, err error) {
	decode := func(v any) {
		if err = json.Unmarshal(e.Data, v); err != nil {
			err = fmt.Errorf("an event %q can't be read: %w", e.Event, err)
		}
	}
	switch string(e.Event) {
	case "authenticated":
		n.hello = &hello{}
		decode(n.hello)
	case "leaderboard:updated":
		n.board = &update{}
		decode(n.board)
	case "rank_changed":
		n.rank = &rankChange{}
		decode(n.rank)
	case "error":
		var why struct{ Code, Message string }
		if decode(&why); err != nil {
			return news{}, err
		}
		switch why.Code {
		case "token_expired":
			return news{}, &refusal{"the token has expired; give a fresh one with --token or MARCADOR_TOKEN"}
		case "forbidden":
			return news{}, &refusal{fmt.Sprintf("--board: %s", why.Message)}
		case "replaced":
			return news{}, &later{why.Message, replacedWait}
		}
		return news{}, errors.New(why.Message)
	}
	if err != nil {
		return news{}, err
	}
	return n, nil
}

// validate returns an error for an answer that is not a stream.
func (f *feed) validate(_ *sse.Client, res *http.Response) error {
	if kind, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type")); res.StatusCode == http.StatusOK && kind == "text/event-stream" {
		return nil
	}
	defer func() { _ = res.Body.Close() }() // the client does not do it
	var problem struct {
		Detail string
		Errors []struct{ Field string }
	}
	body, _ := io.ReadAll(io.LimitReader(res.Body, 64<<10)) // a part is better than nothing
	if json.Unmarshal(body, &problem) != nil || problem.Detail == "" {
		problem.Detail = "the answer is " + res.Status
	}
	switch res.StatusCode {
	case http.StatusUnauthorized:
		return &refusal{fmt.Sprintf("%s; give a token with --token or MARCADOR_TOKEN (marcador token signs one)", problem.Detail)}
	case http.StatusForbidden:
		return &refusal{fmt.Sprintf("--board %s: %s", f.o.Board, problem.Detail)}
	case http.StatusNotFound, http.StatusUnprocessableEntity, http.StatusBadRequest:
		if len(problem.Errors) > 0 {
			return &refusal{"--" + problem.Detail}
		}
	case http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusServiceUnavailable, http.StatusBadGateway, http.StatusGatewayTimeout:
		seconds, _ := strconv.Atoi(res.Header.Get("Retry-After"))
		return &later{problem.Detail, time.Duration(min(max(seconds, 0), 600)) * time.Second}
	}
	return &refusal{fmt.Sprintf("--url %s is not a Marcador service: %s", f.o.URL, problem.Detail)}
}
