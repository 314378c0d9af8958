package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"marcador/auth"
)

type friendInput struct {
	UserPath

	Other string `path:"other" doc:"Id of the other user" maxLength:"128"`
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
	put.Description = "The service decides when a friendship counts: by default, once both users have asked for it. With the scope `users:write` the call asks for both of them. " +
		"The answer is the same whether or not the other user exists. A user may ask for 500 friendships at most."
	put.DefaultStatus = http.StatusNoContent
	huma.Register(a.huma, put, func(ctx context.Context, in *friendInput) (*struct{}, error) {
		return nil, a.fail(ctx, a.Live.Befriend(ctx, in.ID, in.Other, callerOf(ctx).May(auth.ScopeWriteUsers)))
	})

	remove := a.operation(http.MethodDelete, "/v1/users/{id}/friends/{other}", "deleteFriend", "Users", "End a friendship", self)
	remove.Description = "The friendship ends for both users, and so do their requests for it."
	remove.DefaultStatus = http.StatusNoContent
	huma.Register(a.huma, remove, func(ctx context.Context, in *friendInput) (*struct{}, error) {
		return nil, a.fail(ctx, a.Live.Unfriend(ctx, in.ID, in.Other))
	})
}
