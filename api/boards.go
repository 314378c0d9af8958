package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"marcador/auth"
	"marcador/internal/validate"
	"marcador/live"
)

// BoardPath is a board in a path.
type BoardPath struct {
	Board string `path:"board" maxLength:"200" doc:"global, {kind}:{id} of a group, or friends:{userId}" example:"global"`
}

// Resolve implements huma.Resolver.
func (p *BoardPath) Resolve(ctx huma.Context) []error {
	p.Board = boardIn(ctx.Context(), p.Board)
	return nil
}

// boardIn returns the name of a board in the form that it is kept in, or "" for a name that
// no board can have.
func boardIn(ctx context.Context, name string) string {
	board, ok := validate.BoardIn(name, boardThere(ctx))
	if !ok {
		return ""
	}
	return board
}

type pageInput struct {
	BoardPath

	Period     string `query:"period" enum:"daily,weekly,monthly,all-time" default:"all-time" doc:"When points count"`
	Limit      int    `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"How many entries"`
	Offset     int    `query:"offset" minimum:"0" maximum:"1000000000" default:"0" doc:"How many to leave out at the top"`
	Around     string `query:"around" maxLength:"128" doc:"me or a user's id: the entries around them instead"`
	Neighbours int    `query:"neighbours" minimum:"0" maximum:"500" default:"5" doc:"With around: how many on each side"`
}

// Resolve implements huma.Resolver.
func (in *pageInput) Resolve(ctx huma.Context) []error {
	f := faults{prefix: "query.", list: in.BoardPath.Resolve(ctx)}
	if in.Around != "" {
		f.id(ctx, "around", &in.Around)
	}
	return f.list
}

// rows is how many the page has at most, with the caller's own.
func (in *pageInput) rows() int {
	if in.Around != "" {
		return 2*in.Neighbours + 2
	}
	return in.Limit + 1
}

type limitInput struct {
	BoardPath

	Body limit
}

// limit is how much of a board is shown.
type limit struct {
	Top int `json:"top" minimum:"1" maximum:"1000000000" doc:"How many of the best are shown, beside one's own row"`
}

type limitOutput struct {
	Body struct {
		Board string `json:"board"`
		Top   *int   `json:"top" doc:"How many of the best are shown; null for all"`
	}
}

func (a *api) boardRoutes() {
	schemas := a.huma.OpenAPI().Components.Schemas

	page := a.operation(http.MethodGet, "/v1/leaderboards/{board}", "getPage", "Boards", "A page of a board", access{public: true})
	page.Description = membersOnly
	page.RejectUnknownQueryParameters = true
	answering[live.PageBody](a, &page, "The page")
	orNull(schemas, "PageBody", "me")
	for _, name := range []string{"rank", "score"} {
		property := schemas.Map()["OwnEntry"].Properties[name]
		property.Nullable = true
		property.Description += "; null for a caller without a score in the period"
	}
	huma.Register(a.huma, page, func(ctx context.Context, in *pageInput) (*encodedOutput, error) {
		if _, err := a.admit(ctx, in.Board); err != nil {
			return nil, a.fail(ctx, err)
		}
		caller := callerOf(ctx)
		period, _ := live.ParsePeriod(in.Period) // huma has checked it
		q := live.Query{
			Board: in.Board, Period: period, Offset: in.Offset, Limit: in.Limit,
			Around: in.Around, Neighbours: in.Neighbours, Caller: caller.UserID, All: caller.May(auth.ScopeAdmin),
		}
		switch {
		case in.Around != "" && in.Offset > 0:
			return nil, invalid("around", "can't be given with offset; leave one of them out")
		case in.Around == "me" && caller.Anonymous():
			return nil, invalid("around", "me is who calls, which needs a token; send one, or give a user's id")
		case in.Around == "me":
			q.Around = caller.UserID
		}
		made, err := a.begin(ctx, present, 0, a.Live.SizeOf(in.Board, in.rows()))
		if err != nil {
			return nil, err
		}
		body, err := a.Live.Page(ctx, q)
		made(len(body))
		if err != nil {
			return nil, a.fail(ctx, err)
		}
		return &encodedOutput{body}, nil
	})

	write := access{scope: auth.ScopeWriteUsers}
	get := a.operation(http.MethodGet, "/v1/leaderboards/{board}/limit", "getLimit", "Boards", "How many of a board's best are shown", write)
	huma.Register(a.huma, get, func(ctx context.Context, in *BoardPath) (*limitOutput, error) { return a.limit(ctx, in.Board) })

	put := a.operation(http.MethodPut, "/v1/leaderboards/{board}/limit", "putLimit", "Boards", "Show no more than a board's best", write)
	put.Description += " Everybody sees the best, and their own row; the scope `admin` all of it."
	huma.Register(a.huma, put, func(ctx context.Context, in *limitInput) (*limitOutput, error) {
		return a.putLimit(ctx, in.Board, in.Body.Top)
	})

	remove := a.operation(http.MethodDelete, "/v1/leaderboards/{board}/limit", "deleteLimit", "Boards", "Show all of a board", write)
	remove.DefaultStatus = http.StatusOK
	huma.Register(a.huma, remove, func(ctx context.Context, in *BoardPath) (*limitOutput, error) {
		return a.putLimit(ctx, in.Board, 0)
	})
}

func (a *api) putLimit(ctx context.Context, board string, top int) (*limitOutput, error) {
	if board == "" {
		return nil, a.fail(ctx, live.ErrUnknownBoard)
	}
	if err := a.Live.PutLimit(ctx, board, top); err != nil {
		return nil, a.fail(ctx, err)
	}
	return a.limit(ctx, board)
}

func (a *api) limit(ctx context.Context, board string) (*limitOutput, error) {
	if board == "" {
		return nil, a.fail(ctx, live.ErrUnknownBoard)
	}
	out := &limitOutput{}
	out.Body.Board = board
	if top := a.Live.Limit(board); top > 0 {
		out.Body.Top = &top
	}
	return out, nil
}

// orNull says of a property that is another schema's that it may be null, for which
// there is no tag.
func orNull(schemas huma.Registry, schema, property string) {
	of := schemas.Map()[schema]
	of.Properties[property] = &huma.Schema{
		OneOf:       []*huma.Schema{of.Properties[property], {Type: "null"}},
		Description: of.Properties[property].Description,
	}
}

const membersOnly = "The board of a group is for its members, that of friends for their owner; the scope `admin` reads all."

// admit reports whether the caller may read the board by being a member of it and not
// otherwise, or returns the problem that they may not read it.
func (a *api) admit(ctx context.Context, board string) (asMember bool, err error) {
	if asMember, err = a.restricted(ctx, board); err != nil || !asMember {
		return false, err
	}
	is, err := a.Live.IsMember(ctx, board, callerOf(ctx).UserID)
	if err == nil && !is {
		err = notMember(board)
	}
	return is, err
}

// restricted reports whether only members may read the board as far as the caller goes, or
// returns the problem that the caller may not read it, whoever is a member.
func (a *api) restricted(ctx context.Context, board string) (bool, error) {
	caller := callerOf(ctx)
	switch {
	case board == "":
		return false, live.ErrUnknownBoard
	case board == live.Global, caller.May(auth.ScopeAdmin):
		return false, nil
	case caller.Anonymous():
		return false, tokenMissing()
	}
	return true, nil
}

func tokenMissing() error {
	return huma.ErrorWithHeaders(noToken(), http.Header{"WWW-Authenticate": {realm}})
}

// notMember names the board, since a stream may ask for several.
func notMember(board string) error {
	return notMemberAs("board: " + board + " is for its members; be one, or use a token with the scope admin")
}

func notMemberAs(detail string) error {
	p := problemOf(http.StatusForbidden, "not_a_member", detail, fault{"board", "is for its members"})
	return huma.ErrorWithHeaders(p, http.Header{"WWW-Authenticate": {realm + `, error="insufficient_scope", scope="admin"`}})
}
