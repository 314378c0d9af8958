package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"marcador/auth"
	"marcador/live"
)

type limitInput struct {
	LimitPath

	Body limit
}

// limit is how much of a board is shown.
type limit struct {
	Top int `json:"top" minimum:"1" maximum:"1000000000" doc:"How many of the best entries are shown. Callers also see their own"`
}

type limitOutput struct {
	Body struct {
		Board string `json:"board"`
		Top   *int   `json:"top" doc:"How many of the best entries are shown; null for all"`
	}
}

func (a *api) boardLimitRoutes() {
	write := access{scope: auth.ScopeWriteUsers}
	get := a.operation(http.MethodGet, "/v1/leaderboards/{board}/limit", "getLimit", "Boards", "How many of a board's best are shown", write)
	huma.Register(a.huma, get, func(ctx context.Context, in *LimitPath) (*limitOutput, error) { return a.limit(ctx, in.Board) })

	put := a.operation(http.MethodPut, "/v1/leaderboards/{board}/limit", "putLimit", "Boards", "Show no more than a board's best", write)
	put.Description += " Everybody sees the best entries, and their own. The scope `admin` sees all."
	huma.Register(a.huma, put, func(ctx context.Context, in *limitInput) (*limitOutput, error) {
		return a.putLimit(ctx, in.Board, in.Body.Top)
	})

	remove := a.operation(http.MethodDelete, "/v1/leaderboards/{board}/limit", "deleteLimit", "Boards", "Show all of a board", write)
	remove.DefaultStatus = http.StatusOK
	huma.Register(a.huma, remove, func(ctx context.Context, in *LimitPath) (*limitOutput, error) {
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
