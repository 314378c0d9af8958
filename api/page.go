package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"marcador/auth"
	"marcador/internal/membudget"
	"marcador/live"
	"marcador/store"
)

type pageInput struct {
	BoardPath

	Period     string `query:"period" enum:"daily,weekly,monthly,all-time" default:"all-time" doc:"When points count"`
	Limit      int    `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"Number of entries"`
	Offset     int    `query:"offset" minimum:"0" maximum:"1000000000" default:"0" doc:"Number of entries to skip at the top"`
	Around     string `query:"around" maxLength:"128" doc:"The word me, or a user id: the page then shows this user and their neighbours"`
	Neighbours int    `query:"neighbours" minimum:"0" maximum:"500" default:"5" doc:"With around: number of entries on each side"`
}

// Resolve implements huma.Resolver.
func (in *pageInput) Resolve(ctx huma.Context) []error {
	f := faults{prefix: "query.", list: in.BoardPath.Resolve(ctx)}
	if in.Around != "" {
		f.id(ctx, "around", &in.Around)
	}
	return f.list
}

// rows returns how many rows the page has at most, with the caller's own.
func (in *pageInput) rows() int {
	if in.Around != "" {
		return 2*in.Neighbours + 2
	}
	return in.Limit + 1
}

// query returns what is asked of live, or a problem with the input.
func (in *pageInput) query(caller auth.Caller) (live.Query, error) {
	period, _ := store.ParsePeriod(in.Period) // huma has checked it
	q := live.Query{
		Board: in.Board, Period: period, Offset: in.Offset, Limit: in.Limit,
		Around: in.Around, Neighbours: in.Neighbours, Caller: caller.UserID, All: caller.May(auth.ScopeAdmin),
	}
	switch {
	case in.Around != "" && in.Offset > 0:
		return q, invalid("around", "can't be given with offset; leave one of them out")
	case in.Around == "me" && caller.Anonymous():
		return q, invalid("around", "me is the caller, so it needs a token; send one, or give a user's id")
	case in.Around == "me":
		q.Around = caller.UserID
	}
	return q, nil
}

func (a *api) pageRoute() {
	op := a.operation(http.MethodGet, "/v1/leaderboards/{board}", "getPage", "Boards", "A page of a board", access{public: true})
	op.Description = membersOnly
	op.RejectUnknownQueryParameters = true
	answering[live.PageBody](a, &op, "The page")
	schemas := a.huma.OpenAPI().Components.Schemas
	orNull(schemas, "PageBody", "me")
	for _, name := range []string{"rank", "score"} {
		property := schemas.Map()["OwnEntry"].Properties[name]
		property.Nullable = true
		property.Description += "; null if the caller has no score in the period"
	}
	huma.Register(a.huma, op, a.page)
}

func (a *api) page(ctx context.Context, in *pageInput) (*encodedOutput, error) {
	if _, err := a.admit(ctx, in.Board); err != nil {
		return nil, a.fail(ctx, err)
	}
	q, err := in.query(callerOf(ctx))
	if err != nil {
		return nil, err
	}
	made, err := a.acquire(ctx, membudget.PageSlot, 0, a.Live.SizeOf(in.Board, in.rows()))
	if err != nil {
		return nil, err
	}
	body, err := a.Live.Page(ctx, q)
	made(len(body))
	if err != nil {
		return nil, a.fail(ctx, err)
	}
	return &encodedOutput{body}, nil
}

// orNull says in the OpenAPI document that a property of a schema may be null. There is no struct
// tag for that if the property is a schema of its own.
func orNull(schemas huma.Registry, schema, property string) {
	of := schemas.Map()[schema]
	of.Properties[property] = &huma.Schema{
		OneOf:       []*huma.Schema{of.Properties[property], {Type: "null"}},
		Description: of.Properties[property].Description,
	}
}
