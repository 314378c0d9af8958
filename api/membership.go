package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"marcador/auth"
	"marcador/live"
)

// membersOnly describes in the OpenAPI document who may read a board.
const membersOnly = "Only members may read the board of a group, and only the owner a board of friends. The scope `admin` reads all."

// admit returns an error if the caller may not read the board now. It reports whether the caller
// may read it only because they are a member.
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

// restricted reports whether the caller may read the board only as a member. It returns an error if
// the caller may not read it in any case.
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

// notMember returns the problem that the caller is not a member. It names the board, because a
// stream may have asked for several.
func notMember(board string) error {
	return notMemberAs("board: " + board + " is for its members; be one, or use a token with the scope admin")
}

func notMemberAs(detail string) error {
	p := problemOf(http.StatusForbidden, "not_a_member", detail, fault{"board", "is for its members"})
	return huma.ErrorWithHeaders(p, http.Header{"WWW-Authenticate": {realm + `, error="insufficient_scope", scope="admin"`}})
}
