package api

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"reflect"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"marcador/live"
	"marcador/sse"
)

type pageInput struct {
	Board  string `path:"board" doc:"Which board" example:"global"`
	Period string `query:"period" enum:"all-time" default:"all-time" doc:"When points count"`
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"How many entries"`
	Offset int    `query:"offset" minimum:"0" maximum:"1000000000" default:"0" doc:"How many to leave out at the top"`
}

type pageOutput struct {
	ContentType string `header:"Content-Type"`
	Body        []byte
}

type eventsInput struct {
	Boards      []string `query:"board,explode" doc:"Which boards; global where none is given"`
	Period      string   `query:"period" enum:"all-time" default:"all-time" doc:"When points count"`
	Mode        string   `query:"mode" enum:"snapshot" default:"snapshot" doc:"What a broadcast carries"`
	AccessToken string   `query:"access_token" doc:"Token, where the service allows it here"`
	LastEventID string   `header:"Last-Event-ID" doc:"Id of the last event that was seen"`
}

func (a *api) boardRoutes() {
	member := access{public: true}
	schemas := a.huma.OpenAPI().Components.Schemas

	page := operation(http.MethodGet, "/v1/leaderboards/{board}", "getPage", "Boards", "A page of a board", member)
	page.RejectUnknownQueryParameters = true
	page.Responses = map[string]*huma.Response{"200": {
		Description: "The page",
		Content: map[string]*huma.MediaType{
			"application/json": {Schema: schemas.Schema(reflect.TypeFor[live.PageBody](), true, "")},
		},
	}}
	huma.Register(a.huma, page, func(ctx context.Context, in *pageInput) (*pageOutput, error) {
		body, err := a.Live.Page(ctx, in.Board, in.Offset, in.Limit, callerOf(ctx).UserID)
		if err != nil {
			return nil, a.fail(ctx, err)
		}
		return &pageOutput{"application/json", body}, nil
	})

	member.stream = true
	events := operation(http.MethodGet, "/v1/events", "getEvents", "Boards", "The stream of a board's states", member)
	events.Errors = append(events.Errors, http.StatusNotFound, http.StatusServiceUnavailable)
	events.Responses = map[string]*huma.Response{"200": {
		Description: "Server-Sent Events: authenticated, then leaderboard:updated at once and for each broadcast; ping; error and goodbye before the server ends the stream",
		Content:     map[string]*huma.MediaType{"text/event-stream": {Schema: &huma.Schema{Type: huma.TypeString}}},
	}}
	huma.Register(a.huma, events, a.events)
}

// greeting is the data of a stream's first event.
type greeting struct {
	Success   bool     `json:"success"`
	UserID    *string  `json:"userId"` // null for an anonymous caller
	Email     *string  `json:"email"`  // null where the token has none
	SocketID  string   `json:"socketId"`
	Recovered bool     `json:"recovered"`
	Boards    []string `json:"boards"`
}

// maxBoards bounds the boards of one stream.
const maxBoards = 32

func (a *api) events(ctx context.Context, in *eventsInput) (*huma.StreamResponse, error) {
	caller := callerOf(ctx)
	boards := slices.Compact(slices.Sorted(slices.Values(in.Boards)))
	switch {
	case len(boards) == 0:
		boards = []string{live.Global}
	case len(boards) > maxBoards:
		return nil, invalid("board", "a stream follows at most 32 boards; open another one for the others")
	}
	hello := greeting{Success: true, SocketID: rand.Text(), Boards: boards}
	if !caller.Anonymous() {
		hello.UserID = &caller.UserID
	}
	if caller.Email != "" {
		hello.Email = &caller.Email
	}
	body, err := json.Marshal(hello)
	if err != nil {
		return nil, a.fail(ctx, err)
	}
	stream := sse.Stream{Greeting: body, Expires: caller.StreamUntil(time.Now())}

	for _, name := range boards {
		follow, err := a.Live.Follow(ctx, name)
		if err != nil {
			for _, other := range stream.Follows {
				other.Leave()
			}
			return nil, a.fail(ctx, err)
		}
		stream.Follows = append(stream.Follows, follow)
	}
	return &huma.StreamResponse{Body: func(ctx huma.Context) {
		r, w := humago.Unwrap(ctx)
		if err := a.Streams.Serve(w, r, stream); err != nil {
			a.writeError(w, a.fail(r.Context(), err))
		}
	}}, nil
}
