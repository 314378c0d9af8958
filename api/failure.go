package api

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"marcador/internal/membudget"
	"marcador/live"
	"marcador/sse"
	"marcador/store"
)

// statuses are the statuses of live's refusals.
var statuses = map[store.Code]int{
	store.UserNotFound:    http.StatusNotFound,
	store.NegativeTotal:   http.StatusUnprocessableEntity,
	store.TotalTooLarge:   http.StatusUnprocessableEntity,
	store.KeyReused:       http.StatusUnprocessableEntity,
	store.NothingToChange: http.StatusUnprocessableEntity,
	store.OwnFriend:       http.StatusUnprocessableEntity,
	store.Invalid:         http.StatusUnprocessableEntity,
	store.TooManyFriends:  http.StatusUnprocessableEntity,
}

// failures are the problems of the other errors of live, sse and membudget. The first one that
// matches counts.
var failures = []struct {
	err     error
	problem func() error
}{
	{live.ErrUnknownBoard, func() error {
		return problemOf(http.StatusNotFound, "unknown_board",
			"board: there is no such board; give global, a group such as school:42, or friends: with a user's id", fault{"board", "unknown board"})
	}},
	{live.ErrNotOnBoard, func() error {
		return problemOf(http.StatusNotFound, "not_on_board",
			"around: this user is not on the board in this period; give another user, or leave around out", fault{"around", "not on the board"})
	}},
	{live.ErrNotMember, func() error { return notMember("it") }},
	{live.ErrNotClosed, func() error {
		return problemOf(http.StatusNotFound, "unknown_period",
			"start: no closed period of this kind (see the parameter period) contains that time, or it is too old to be kept; leave start out to get the list",
			fault{"start", "no closed period"})
	}},
	{store.ErrBusy, func() error {
		return unavailable("busy", "more writes are waiting than the disk can take; try again")
	}},
	{store.ErrClosed, shuttingDown},
	{sse.ErrDraining, shuttingDown},
	{sse.ErrFull, func() error {
		return retryAfter(problemOf(http.StatusServiceUnavailable, "too_many_streams",
			"the service has as many streams as it allows; try again later, or have its operator raise --max-streams"), 5, 15)
	}},
	{sse.ErrFullForAnonymous, func() error {
		return retryAfter(problemOf(http.StatusServiceUnavailable, "too_many_streams",
			"the service has as many streams without a token as it allows; show a token, try again later, or have its operator raise --max-streams"), 5, 15)
	}},
	{sse.ErrFullForAddress, func() error {
		return retryAfter(problemOf(http.StatusTooManyRequests, "too_many_streams_of_address",
			"this address has as many streams without a token as one address may have; show a token, close another stream, or follow several boards in one stream"), 5, 30)
	}},
	{sse.ErrNoStream, func() error {
		return problemOf(http.StatusNotFound, "unknown_stream",
			"socketId: the caller has no such stream; open a new one", fault{"socketId", "unknown stream"})
	}},
	{membudget.ErrFull, func() error {
		return unavailable("busy", "the service has as many answers in memory as it allows; try again")
	}},
	{context.Canceled, tookTooLong},
	{context.DeadlineExceeded, tookTooLong},
}

func shuttingDown() error {
	return retryAfter(problemOf(http.StatusServiceUnavailable, "shutting_down", "the service is shutting down; try again"), 1, 5)
}

func tookTooLong() error {
	return unavailable("timeout", "it took too long; try again. It is not known whether points were given: repeat the write with the same Idempotency-Key")
}

func internalError() *problem {
	return problemOf(http.StatusInternalServerError, "internal", "something went wrong in the service; it was logged")
}

// fail returns the problem that the caller is told about err, or nil for nil. It logs what the
// caller can't help.
func (a *api) fail(ctx context.Context, err error) error {
	return a.failAt(ctx, err, func(_ int, field string) string { return field })
}

// failAt is fail for a batch. field returns the full name of an input that is refused, from its
// index in the batch and its own name.
func (a *api) failAt(ctx context.Context, err error, field func(int, string) string) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*problem](err); ok {
		return err // it is a problem already
	}
	if refusal, ok := errors.AsType[*store.Error](err); ok {
		return refused(refusal, field)
	}
	for _, f := range failures {
		if errors.Is(err, f.err) {
			return f.problem()
		}
	}
	if errors.Is(err, store.ErrUnavailable) {
		a.Log.DebugContext(ctx, "write failed", "error", err) // live logs once that writes fail
		return unavailable("database_unavailable", "the database can't be written now"+because(err)+"; nothing was changed, try again")
	}
	a.Log.ErrorContext(ctx, "request failed", "error", err)
	if reason := because(a.Live.Fault(err)); reason != "" {
		return unavailable("database_unavailable", "the database can't be read now"+reason+"; try again")
	}
	return internalError()
}

// refused returns the problem of a refusal. Its detail is the first fault.
func refused(refusal *store.Error, field func(int, string) string) error {
	faults := []fault{{field(refusal.Index, refusal.Field), refusal.Message}}
	for _, other := range refusal.Others {
		faults = append(faults, fault{field(other.Index, other.Field), other.Message})
	}
	return problemOf(statuses[refusal.Code], string(refusal.Code), faults[0].Field+": "+faults[0].Message, faults...)
}

// because returns in brackets why the database fails, for the person who repairs it, or "" if that
// is not known.
func because(err error) string {
	for _, fault := range []error{store.ErrDiskFull, store.ErrReadOnly, store.ErrLocked, store.ErrDamaged, store.ErrGone, store.ErrIO} {
		if errors.Is(err, fault) {
			return " (" + fault.Error() + ")"
		}
	}
	return ""
}

func unavailable(code, detail string) error {
	return retryAfter(problemOf(http.StatusServiceUnavailable, code, detail), 1, 1)
}

// retryAfter adds a Retry-After of least to most seconds. It is random if they differ, so that
// clients that are refused together do not come back together.
func retryAfter(p *problem, least, most int) error {
	seconds := least + rand.IntN(most-least+1) //nolint:gosec // it need not be unpredictable
	return huma.ErrorWithHeaders(p, http.Header{"Retry-After": {strconv.Itoa(seconds)}})
}
