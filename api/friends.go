package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"marcador/auth"
)

type friendInput struct {
	UserPath

	Other string `path:"other" doc:"Id of the other" maxLength:"128"`
}

// Resolve implements huma.Resolver.
func (in *friendInput) Resolve(ctx huma.Context) []error {
	f := faults{prefix: "path.", list: in.UserPath.Resolve(ctx)}
	f.id(ctx, "other", &in.Other)
	return f.list
}

func (a *api) friendRoutes() {
	self := access{self: true}

	put := a.operation(http.MethodPut, "/v1/users/{id}/friends/{other}", "putFriend", "Users", "Ask for a friendship", self)
	put.Description = "When it counts is the service's to say: by default once both have asked for it. The scope `users:write` asks for both. " +
		"The answer is the same whether or not there is such another user. A user asks for 500 at most."
	put.DefaultStatus = http.StatusNoContent
	huma.Register(a.huma, put, func(ctx context.Context, in *friendInput) (*struct{}, error) {
		return nil, a.fail(ctx, a.Live.Befriend(ctx, in.ID, in.Other, callerOf(ctx).May(auth.ScopeWriteUsers)))
	})

	remove := a.operation(http.MethodDelete, "/v1/users/{id}/friends/{other}", "deleteFriend", "Users", "End a friendship", self)
	remove.Description = "It ends for both of them, and so does what either has asked for."
	remove.DefaultStatus = http.StatusNoContent
	huma.Register(a.huma, remove, func(ctx context.Context, in *friendInput) (*struct{}, error) {
		return nil, a.fail(ctx, a.Live.Unfriend(ctx, in.ID, in.Other))
	})
}
