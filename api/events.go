package api

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"marcador/auth"
	"marcador/internal/connlimit"
	"marcador/internal/forwarded"
	"marcador/live"
	"marcador/sse"
	"marcador/static"
	"marcador/store"
)

// maxBoards bounds the boards of one stream.
const maxBoards = 32

type eventsInput struct {
	Boards      []string `query:"board,explode" doc:"Boards to follow; global if none is given. Up to 32 pairs of board and period"`
	Periods     []string `query:"period,explode" enum:"daily,weekly,monthly,all-time" doc:"When points count; all-time if none is given. A single period counts for all boards. Several are paired with the boards in order, so there must be as many as boards. A board may be given twice, to follow it in two periods"`
	Mode        string   `query:"mode" enum:"snapshot,diff" default:"snapshot" doc:"What a broadcast carries: the whole page, or the changes in it"`
	Format      string   `query:"format" enum:"json,msgpack" default:"json" doc:"What data contains: JSON, or MessagePack in base64"`
	Seen        string   `query:"last_event_id" doc:"The same as the header Last-Event-ID, for clients that can't send it; the header wins. An id belongs to the boards and periods of the request that it came with, so leave it out when you ask for others"`
	SeenLater   string   `query:"lastEventId" doc:"The same as last_event_id, by the name that event-source-polyfill uses; it wins over last_event_id"`
	AccessToken string   `query:"access_token" doc:"The token, if the service allows it here"`
	LastEventID string   `header:"Last-Event-ID" doc:"Id of the last event that the client has seen. The stream resumes from there if it can"`

	gzip    bool
	request *http.Request
}

// Resolve implements huma.Resolver.
func (in *eventsInput) Resolve(ctx huma.Context) []error {
	r, _ := humago.Unwrap(ctx)
	in.request = r
	in.gzip = static.AcceptsGzip(r.Header.Values("Accept-Encoding"))
	for i := range in.Boards[:min(len(in.Boards), maxBoards)] { // follows refuses more
		in.Boards[i] = boardIn(ctx.Context(), in.Boards[i])
	}
	return nil
}

// boardPeriod is a board in a period, one of those that a stream follows.
type boardPeriod struct {
	board  string
	period store.Period
}

// follows returns what the stream is to follow, sorted and each pair once, or what is wrong with
// the parameters.
func (in *eventsInput) follows() ([]boardPeriod, *problem) {
	boards, periods := in.Boards, in.Periods
	if len(boards) == 0 {
		boards = []string{live.Global}
	}
	switch {
	case len(periods) == 0:
		periods = []string{store.AllTime.String()}
	case len(periods) != 1 && len(periods) != len(boards):
		return nil, invalid("period", fmt.Sprintf("there are %d for %d boards; give one period for all boards, or one for each board, in their order",
			len(periods), len(boards)))
	}
	var follows []boardPeriod
	for i, board := range boards {
		period, ok := store.ParsePeriod(periods[i%len(periods)])
		if !ok {
			return nil, invalid("period", "is not a period; give daily, weekly, monthly or all-time")
		}
		follows = append(follows, boardPeriod{board, period})
	}
	slices.SortFunc(follows, func(a, b boardPeriod) int {
		return cmp.Or(cmp.Compare(a.board, b.board), cmp.Compare(a.period, b.period))
	})
	if follows = slices.Compact(follows); len(follows) > maxBoards {
		return nil, invalid("board", "a stream follows at most 32 boards; open another stream for the others")
	}
	return follows, nil
}

// comesBack reports whether the client has followed the stream before. If it may no longer follow
// one of the boards, then that board alone ends, as it would have in the stream before. Refusing
// the request would end a browser's EventSource for good, and with it the other boards.
func (in *eventsInput) comesBack() bool {
	return cmp.Or(in.LastEventID, in.SeenLater, in.Seen) != ""
}

// seen returns the id of the last event that the client has seen, and whether that event said that
// a newer stream has replaced this one.
func (in *eventsInput) seen() (id string, replaced bool) {
	// A polyfill appends lastEventId to an address that may have last_event_id from the start.
	return sse.CutReplaced(cmp.Or(in.LastEventID, in.SeenLater, in.Seen))
}

// scopeOf returns a text that is unique for the user and what they follow. Event ids depend on it.
func scopeOf(user string, follows []boardPeriod) string {
	scope := strconv.AppendQuote(nil, user)
	for _, f := range follows {
		scope = strconv.AppendQuote(append(scope, f.period.String()...), f.board)
	}
	return string(scope)
}

// format returns how the client wants its events.
func (in *eventsInput) format() (f sse.Format) {
	if in.Mode == "diff" {
		f |= sse.Diff
	}
	if in.Format == "msgpack" {
		f |= sse.MsgPack
	}
	if in.gzip {
		f |= sse.Gzip
	}
	return f
}

// greeting is the data of a stream's first event.
type greeting struct {
	Success   bool     `json:"success"`
	UserID    *string  `json:"userId"` // null for an anonymous caller
	Email     *string  `json:"email"`  // null if the token has none
	SocketID  string   `json:"socketId"`
	Recovered bool     `json:"recovered"`
	Boards    []string `json:"boards"` // each once, in however many periods it is followed
	Ranks     string   `json:"ranks"`  // how equal scores are numbered
}

func (a *api) eventRoutes() {
	events := a.operation(http.MethodGet, "/v1/events", "getEvents", "Boards", "The stream of boards' states", access{public: true, stream: true})
	events.Errors = append(events.Errors, http.StatusNotFound, http.StatusTooManyRequests, http.StatusServiceUnavailable)
	events.Responses = map[string]*huma.Response{"200": {
		Description: "Server-Sent Events. The first is authenticated, then leaderboard:updated for each board. Each broadcast is another leaderboard:updated or, with mode=diff, a position_change. " +
			"The others are rank_changed when the caller's own rank has moved, ping, error, and goodbye, whose retryAfter is the time in milliseconds after which to come back. " +
			"Long data comes in several data lines of at most 16 KB, which clients join with line feeds. " +
			"An error with board, such as forbidden after a membership has ended, ends that board in all its periods, and the stream if no other board is left. " +
			"An error without board (token_expired, or replaced by a newer stream of the same user) and goodbye come before the service ends the stream",
		Content: map[string]*huma.MediaType{"text/event-stream": {Schema: &huma.Schema{Type: huma.TypeString}}},
	}}
	huma.Register(a.huma, events, a.events)
	a.streamTokenRoute()
}

func (a *api) events(ctx context.Context, in *eventsInput) (*huma.StreamResponse, error) {
	caller := callerOf(ctx)
	follows, p := in.follows()
	if p != nil {
		return nil, p
	}
	rights, err := a.rights(ctx, follows)
	if err == nil && (!in.comesBack() || len(rights.asMember) == 0) {
		err = rights.refusal
	}
	if err != nil {
		return nil, a.fail(ctx, err)
	}
	follows = slices.DeleteFunc(follows, func(f boardPeriod) bool { return rights.forbidden[f.board] != "" })
	stream := a.newStream(ctx, in, caller, follows)
	stream.Forbidden = rights.forbidden
	err = a.Streams.Check(stream) // before any work is done for it
	if errors.Is(err, sse.ErrReplaced) {
		return &huma.StreamResponse{Body: func(ctx huma.Context) {
			r, w := humago.Unwrap(ctx)
			a.Streams.Replaced(w, r, stream)
		}}, nil
	}
	if err != nil {
		return nil, a.fail(ctx, err)
	}
	ctx, cancel := context.WithTimeout(ctx, a.Limits.Answer)
	defer cancel()
	boards := slices.Sorted(maps.Keys(rights.asMember))
	stream.Greeting = func(recovered bool) []byte { return a.greet(caller, stream.ID, boards, recovered) }
	if stream.Follows, err = a.follow(ctx, follows, rights, stream.Resume); err != nil {
		return nil, a.fail(ctx, err)
	}
	return &huma.StreamResponse{Body: func(ctx huma.Context) {
		r, w := humago.Unwrap(ctx)
		connlimit.Exempt(r.Context())
		run, err := a.Streams.Start(w, r, stream)
		if err != nil {
			a.writeError(w, a.fail(r.Context(), err))
			return
		}
		requestOf(r.Context()).run = run
	}}, nil
}

// newStream returns the stream that the caller asks for, without its boards.
func (a *api) newStream(ctx context.Context, in *eventsInput, caller auth.Caller, follows []boardPeriod) sse.Stream {
	stream := sse.Stream{
		ID:      rand.Text(),
		UserID:  caller.UserID,
		Address: forwarded.Client(a.Proxies.Of(in.request).Addr),
		Session: sessionIn(ctx),
		Format:  in.format(),
		Expires: caller.StreamUntil(time.Now()),
		Scope:   scopeOf(caller.UserID, follows),
	}
	var id string
	id, stream.Waits = in.seen()
	stream.Resume = a.Live.Hub().Resume(id, stream.Scope, len(follows))
	return stream
}

// follow begins to follow the boards, all of which the caller may follow. It returns what the
// stream follows, or follows nothing and returns an error.
func (a *api) follow(ctx context.Context, boards []boardPeriod, may rights, from sse.Resume) (follows []sse.Follow, err error) {
	for i, f := range boards {
		follow, err := a.Live.Follow(ctx, live.Follow{
			Board: f.board, Period: f.period, User: callerOf(ctx).UserID, AsMember: may.asMember[f.board],
			Seen: from.Version(), Told: from.Told(i),
		})
		if err != nil {
			for _, other := range follows {
				other.Leave()
			}
			return nil, err //nolint:wrapcheck // fail knows it
		}
		follows = append(follows, follow)
	}
	return follows, nil
}

func (a *api) greet(caller auth.Caller, socketID string, boards []string, recovered bool) []byte {
	hello := greeting{Success: true, SocketID: socketID, Recovered: recovered, Boards: boards, Ranks: a.Live.Ranks()}
	if !caller.Anonymous() {
		hello.UserID = &caller.UserID
	}
	if caller.Email != "" {
		hello.Email = &caller.Email
	}
	body, err := json.Marshal(hello)
	if err != nil {
		panic(err) // strings always have a JSON form
	}
	return body
}
