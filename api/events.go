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
)

// maxBoards bounds the boards of one stream.
const maxBoards = 32

type eventsInput struct {
	Boards      []string `query:"board,explode" doc:"Which boards; global if none is given. Up to 32 pairs of board and period"`
	Periods     []string `query:"period,explode" enum:"daily,weekly,monthly,all-time" doc:"When points count; all-time if none is given. One counts for all boards. Several are paired with the boards in their order, as many as there are boards: then a board may be followed in two periods"`
	Mode        string   `query:"mode" enum:"snapshot,diff" default:"snapshot" doc:"What a broadcast carries: the whole page, or what has changed in it"`
	Format      string   `query:"format" enum:"json,msgpack" default:"json" doc:"What data is: JSON, or base64 of MessagePack"`
	Seen        string   `query:"last_event_id" doc:"As the header Last-Event-ID, which goes before, for clients that can't send it. An id is of the boards and periods with which it was given: a request for others has to leave it out"`
	SeenLater   string   `query:"lastEventId" doc:"As last_event_id, which it goes before: the name that event-source-polyfill uses"`
	AccessToken string   `query:"access_token" doc:"Token, where the service allows it here"`
	LastEventID string   `header:"Last-Event-ID" doc:"Id of the last event that was seen, as it came; the stream goes on from it where it can"`

	gzip    bool
	request *http.Request
}

// Resolve implements huma.Resolver.
func (in *eventsInput) Resolve(ctx huma.Context) []error {
	r, _ := humago.Unwrap(ctx)
	in.request = r
	in.gzip = static.AcceptsGzip(r.Header.Values("Accept-Encoding"))
	for i := range in.Boards[:min(len(in.Boards), maxBoards)] { // more are refused
		in.Boards[i] = boardIn(ctx.Context(), in.Boards[i])
	}
	return nil
}

// boardPeriod is what one part of a stream follows.
type boardPeriod struct {
	board  string
	period live.Period
}

// follows returns what the stream is to follow, each pair once, or the problem with that.
func (in *eventsInput) follows() ([]boardPeriod, *problem) {
	boards, periods := in.Boards, in.Periods
	if len(boards) == 0 {
		boards = []string{live.Global}
	}
	switch {
	case len(periods) == 0:
		periods = []string{live.AllTime.String()}
	case len(periods) != 1 && len(periods) != len(boards):
		return nil, invalid("period", fmt.Sprintf("there are %d for %d boards; give one for all boards, or one for each board, in their order",
			len(periods), len(boards)))
	}
	var follows []boardPeriod
	for i, board := range boards {
		period, ok := live.ParsePeriod(periods[i%len(periods)])
		if !ok {
			return nil, invalid("period", "is not a period; give daily, weekly, monthly or all-time")
		}
		follows = append(follows, boardPeriod{board, period})
	}
	slices.SortFunc(follows, func(a, b boardPeriod) int {
		return cmp.Or(cmp.Compare(a.board, b.board), cmp.Compare(a.period, b.period))
	})
	if follows = slices.Compact(follows); len(follows) > maxBoards {
		return nil, invalid("board", "a stream follows at most 32 boards; open another one for the others")
	}
	return follows, nil
}

// comesBack reports whether the client has followed the stream before. Then a board that it
// may not follow any more ends alone, as it would have in the stream before: a refusal would
// end a browser's EventSource, and with it the other boards, for good.
func (in *eventsInput) comesBack() bool {
	return cmp.Or(in.LastEventID, in.SeenLater, in.Seen) != ""
}

// seen is the id that the client says it has seen, and whether it was told last that a newer
// stream took its place.
func (in *eventsInput) seen() (id string, replaced bool) {
	// A polyfill appends its parameter to an address that may have had the other one from the start.
	return sse.CutReplaced(cmp.Or(in.LastEventID, in.SeenLater, in.Seen))
}

// scopeOf names the user and what they follow, for the stream's ids.
func scopeOf(user string, follows []boardPeriod) string {
	scope := strconv.AppendQuote(nil, user)
	for _, f := range follows {
		scope = strconv.AppendQuote(append(scope, f.period.String()...), f.board)
	}
	return string(scope)
}

// format is how the client wants its events.
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
	Email     *string  `json:"email"`  // null where the token has none
	SocketID  string   `json:"socketId"`
	Recovered bool     `json:"recovered"`
	Boards    []string `json:"boards"` // each once, in whatever number of periods
	Ranks     string   `json:"ranks"`  // how equal scores are numbered
}

func (a *api) eventRoutes() {
	events := a.operation(http.MethodGet, "/v1/events", "getEvents", "Boards", "The stream of boards' states", access{public: true, stream: true})
	events.Errors = append(events.Errors, http.StatusNotFound, http.StatusTooManyRequests, http.StatusServiceUnavailable)
	events.Responses = map[string]*huma.Response{"200": {
		Description: "Server-Sent Events: authenticated; leaderboard:updated at once, and for each broadcast that or, with mode=diff, position_change; " +
			"rank_changed when one's own rank has moved; ping; error and goodbye, whose retryAfter is when to come back, in milliseconds. " +
			"Longer data comes in several data lines of at most 16 KB, which clients join with a line feed. " +
			"An error with board, such as forbidden after a membership has ended, ends that board in all its periods, and the stream when it was the last. " +
			"One without board (token_expired, or replaced by a newer stream of the same user), and goodbye, come before the server ends the stream",
		Content: map[string]*huma.MediaType{"text/event-stream": {Schema: &huma.Schema{Type: huma.TypeString}}},
	}}
	huma.Register(a.huma, events, a.events)

	extend := a.operation(http.MethodPost, "/v1/events/{socketId}/token", "postStreamToken", "Boards", "Hand a live stream a fresh token", access{unpaced: true})
	extend.Description = "The stream then goes on until the fresh token expires: that of the body, or else the one that the request itself carries. " +
		"Boards that it may not follow end with the event error, forbidden. A token that expires sooner than the stream makes it no shorter, and gives it no more rights."
	huma.Register(a.huma, extend, a.extend)
}

type extendInput struct {
	SocketID string `path:"socketId" maxLength:"64" doc:"socketId of the stream's event authenticated"`
	Body     *struct {
		Token string `json:"token" doc:"The fresh token, of the same user"`
	} `required:"false"`
}

type extendOutput struct {
	Body extended
}

// extended is a stream that goes on.
type extended struct {
	SocketID  string `json:"socketId"`
	ExpiresAt string `json:"expiresAt" format:"date-time" doc:"When the fresh token expires; the stream goes on until then at least"`
}

func (a *api) extend(ctx context.Context, in *extendInput) (*extendOutput, error) {
	caller := callerOf(ctx)
	if in.Body != nil && in.Body.Token != "" {
		fresh, err := a.Verifier.Verify(ctx, in.Body.Token)
		switch {
		case errors.Is(err, auth.ErrUnavailable):
			return nil, huma.ErrorWithHeaders(noKeys(), http.Header{"Retry-After": {keysAgain}})
		case err != nil:
			p := problemOf(http.StatusUnauthorized, "token_invalid", "token: "+err.Error()+"; get a fresh token", fault{"token", err.Error()})
			return nil, huma.ErrorWithHeaders(p, http.Header{"WWW-Authenticate": {realm + invalidToken(err)}})
		case fresh.UserID != caller.UserID:
			return nil, problemOf(http.StatusForbidden, "other_user", "token: it is another user's; give one of the stream's own", fault{"token", "is another user's"})
		}
		caller = fresh
	}
	renewal, err := a.renewal(ctx, in.SocketID, caller)
	if err == nil {
		err = a.Streams.Renew(in.SocketID, caller.UserID, renewal)
	}
	if err != nil {
		return nil, a.fail(ctx, err)
	}
	return &extendOutput{extended{in.SocketID, caller.Expires.UTC().Format(live.TimeFormat)}}, nil
}

// rights are what the caller of a stream may follow.
type rights struct {
	asMember  map[string]bool   // by board that they may follow: whether it is membership that allows it
	forbidden map[string]string // by board that they may not: the words for it
	refusal   error             // of the first of these, as an answer
}

// rights looks at each of the boards once. A board that is not forbidden but can't be
// followed for another reason is an error.
func (a *api) rights(ctx context.Context, follows []boardPeriod) (rights, error) {
	r := rights{asMember: map[string]bool{}, forbidden: map[string]string{}}
	for i, f := range follows {
		if i > 0 && follows[i-1].board == f.board {
			continue // they are sorted
		}
		asMember, err := a.admit(ctx, f.board)
		p, is := errors.AsType[*problem](err)
		switch {
		case is && p.Status == http.StatusForbidden:
			r.forbidden[f.board] = "The token may not follow the board " + f.board + "; use one that may."
			r.refusal = cmp.Or(r.refusal, err)
		case err != nil:
			return r, err
		default:
			r.asMember[f.board] = asMember
		}
	}
	return r, nil
}

// renewal returns what a fresh token of the caller changes of their stream: each of its
// boards is looked at as if it began now.
func (a *api) renewal(ctx context.Context, socketID string, caller auth.Caller) (sse.Renewal, error) {
	boards, err := a.Streams.Followed(socketID, caller.UserID)
	if err != nil {
		return sse.Renewal{}, err //nolint:wrapcheck // fail knows it
	}
	var follows []boardPeriod
	for _, board := range boards {
		follows = append(follows, boardPeriod{board: board})
	}
	may, err := a.rights(context.WithValue(ctx, callerKey{}, caller), follows)
	if err != nil {
		return sse.Renewal{}, err
	}
	r := sse.Renewal{
		Until: caller.StreamUntil(time.Now()), Session: sessionIn(ctx),
		Forbidden: may.forbidden, Rights: map[string]sse.Right{},
	}
	for board, asMember := range may.asMember {
		r.Rights[board] = live.AsMember(asMember)
	}
	return r, nil
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
	stream := sse.Stream{
		ID:      rand.Text(),
		UserID:  caller.UserID,
		Address: forwarded.Client(a.Proxies.Of(in.request).Addr),
		Session: sessionIn(ctx),
		Format:  in.format(),
		Expires: caller.StreamUntil(time.Now()),
		Scope:   scopeOf(caller.UserID, follows),

		Forbidden: rights.forbidden,
	}
	var id string
	id, stream.Waits = in.seen()
	stream.Resume = a.Live.Hub().Resume(id, stream.Scope, len(follows))
	err = a.Streams.Check(stream) // before work is done for it
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

// follow returns what a stream of the caller follows, or the error that ends it. They may
// follow all of the boards.
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
