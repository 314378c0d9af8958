package api

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"marcador/auth"
	"marcador/live"
	"marcador/sse"
)

type extendInput struct {
	SocketID string `path:"socketId" maxLength:"64" doc:"The socketId in the stream's event authenticated"`
	Body     *struct {
		Token string `json:"token" doc:"The fresh token, of the same user"`
	} `required:"false"`
}

type extendOutput struct {
	Body extended
}

// extended is a stream that was given a fresh token.
type extended struct {
	SocketID  string `json:"socketId"`
	ExpiresAt string `json:"expiresAt" format:"date-time" doc:"When the fresh token expires; the stream does not end before that"`
}

func (a *api) streamTokenRoute() {
	op := a.operation(http.MethodPost, "/v1/events/{socketId}/token", "postStreamToken", "Boards", "Hand a live stream a fresh token", access{noRateLimit: true})
	op.Description = "The stream goes on until the fresh token expires: the one in the body or, if there is none, the one that the request itself carries. " +
		"Boards that the fresh token may not follow end with the event error, forbidden. A token that expires sooner than the stream neither shortens the stream nor adds rights to it."
	huma.Register(a.huma, op, a.extend)
}

func (a *api) extend(ctx context.Context, in *extendInput) (*extendOutput, error) {
	caller := callerOf(ctx)
	if in.Body != nil && in.Body.Token != "" {
		fresh, err := a.Verifier.Verify(ctx, in.Body.Token)
		switch {
		case errors.Is(err, auth.ErrUnavailable):
			return nil, huma.ErrorWithHeaders(noKeys(), http.Header{"Retry-After": {keysRetryAfter}})
		case err != nil:
			p := problemOf(http.StatusUnauthorized, "token_invalid", "token: "+err.Error()+"; get a fresh token", fault{"token", err.Error()})
			return nil, huma.ErrorWithHeaders(p, http.Header{"WWW-Authenticate": {realm + invalidToken(err)}})
		case fresh.UserID != caller.UserID:
			return nil, problemOf(http.StatusForbidden, "other_user", "token: it is another user's; give one of the stream's own user", fault{"token", "is another user's"})
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

// rights says which boards the caller of a stream may follow.
type rights struct {
	asMember  map[string]bool   // for each board that they may follow: whether only as a member
	forbidden map[string]string // for each board that they may not follow: the message that says so
	refusal   error             // the problem with the first board that they may not follow; or nil
}

// rights looks up the caller's rights to each board. It returns an error if a board can't be
// followed for another reason.
func (a *api) rights(ctx context.Context, follows []boardPeriod) (rights, error) {
	r := rights{asMember: map[string]bool{}, forbidden: map[string]string{}}
	for i, f := range follows {
		if i > 0 && follows[i-1].board == f.board {
			continue // follows is sorted
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

// renewal returns what a fresh token of the caller changes about their stream. The rights to its
// boards are looked up again, as for a new stream.
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
