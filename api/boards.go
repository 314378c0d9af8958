package api

import (
	"context"
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"marcador/live"
)

type pageInput struct {
	Board  string `path:"board" doc:"Which board" example:"global"`
	Period string `query:"period" enum:"all-time" default:"all-time" doc:"When points count"`
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"How many entries"`
	Offset int    `query:"offset" minimum:"0" maximum:"1000000000" default:"0" doc:"How many to leave out at the top"`
}

type pageOutput struct {
	Body encoded
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
		return &pageOutput{body}, nil
	})
}
