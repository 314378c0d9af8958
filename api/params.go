package api

import (
	"context"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"marcador/internal/validate"
	"marcador/live"
)

// UserPath is a user in a path.
type UserPath struct {
	ID string `path:"id" doc:"User id" minLength:"1" maxLength:"128"`
}

// Resolve implements huma.Resolver.
func (p *UserPath) Resolve(ctx huma.Context) []error {
	f := faults{prefix: "path."}
	f.id(ctx, "id", &p.ID)
	return f.list
}

// BoardPath is a board in a path.
type BoardPath struct {
	Board string `path:"board" maxLength:"200" doc:"global, {kind}:{id} of a group, or friends:{userId}" example:"global"`
}

// Resolve implements huma.Resolver.
func (p *BoardPath) Resolve(ctx huma.Context) []error {
	p.Board = boardIn(ctx.Context(), p.Board)
	return nil
}

// LimitPath is the board of a limit in a path.
type LimitPath struct {
	Board string `path:"board" maxLength:"200" doc:"global, {kind}:{id} of a group, or friends:{userId}; with the id * all boards of the kind" example:"classroom:*"`
}

// Resolve implements huma.Resolver.
func (p *LimitPath) Resolve(ctx huma.Context) []error {
	board, ok := validate.BoardIn(p.Board, boardExists(ctx.Context()))
	if !ok {
		board = ""
	}
	p.Board = board
	return nil
}

// boardIn returns the canonical name of a board, or "" if no board can have that name. A name that
// stands for all boards of a kind is none, unless a group from before ids were checked has it.
func boardIn(ctx context.Context, name string) string {
	exists := boardExists(ctx)
	board, ok := validate.BoardIn(name, exists)
	kind, id, _ := strings.Cut(board, ":")
	if !ok || id == validate.Any && !exists(kind, id) {
		return ""
	}
	return board
}

type serviceKey struct{}

// serviceOf returns the service that knows which ids exist.
func serviceOf(ctx context.Context) *live.Service {
	s, _ := ctx.Value(serviceKey{}).(*live.Service)
	return s
}

// boardExists returns a function that reports whether there is a board of that kind and id.
func boardExists(ctx context.Context) func(kind, id string) bool {
	return func(kind, id string) bool { return serviceOf(ctx).HasBoard(ctx, kind, id) }
}
