package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"marcador/live"
	"marcador/sse"
)

// problem is an error as RFC 9457 has it, with a stable code.
type problem struct {
	Type   string  `json:"type" default:"about:blank"`
	Title  string  `json:"title" doc:"The status in words"`
	Status int     `json:"status"`
	Detail string  `json:"detail" doc:"What is wrong, and what to do"`
	Code   string  `json:"code" doc:"Stable name of the error"`
	Errors []fault `json:"errors,omitempty" doc:"What is wrong with which field"`
}

// fault is what is wrong with one field of the input.
type fault struct {
	Field   string `json:"field" example:"updates[0].xp"`
	Message string `json:"message"`
}

func (p *problem) Error() string               { return p.Detail }
func (p *problem) GetStatus() int              { return p.Status }
func (p *problem) ContentType(_ string) string { return "application/problem+json" }

func problemOf(status int, code, detail string, faults ...fault) *problem {
	return &problem{
		Type: "about:blank", Title: http.StatusText(status), Status: status,
		Detail: detail, Code: code, Errors: faults,
	}
}

func invalid(field, message string) *problem {
	return problemOf(http.StatusUnprocessableEntity, "invalid_input", field+": "+message, fault{field, message})
}

// codes of the errors that huma finds, by status.
var codes = map[int]string{
	http.StatusBadRequest:            "invalid_json",
	http.StatusNotFound:              "not_found",
	http.StatusRequestTimeout:        "request_timeout",
	http.StatusRequestEntityTooLarge: "body_too_large",
	http.StatusUnsupportedMediaType:  "unsupported_media_type",
	http.StatusUnprocessableEntity:   "invalid_input",
}

// huma makes its errors through a variable; it is set once, here. Another is that
// names count as they are written: else {"xp":1,"XP":2} would be valid, and 2.
func init() {
	huma.ValidateStrictCasing = true
	huma.NewError = func(status int, message string, errs ...error) huma.StatusError {
		var found faultList
		for _, err := range errs {
			if p, ok := errors.AsType[*problem](err); ok {
				return p
			}
			if found.full() {
				break
			}
			status = found.take(err, status)
		}
		code, ok := codes[status]
		if !ok {
			code = strings.ReplaceAll(strings.ToLower(http.StatusText(status)), " ", "_")
		}
		switch {
		case status == http.StatusUnsupportedMediaType:
			message = "send JSON, with the header Content-Type: application/json"
		case status == http.StatusRequestEntityTooLarge:
			var most int
			_, _ = fmt.Sscanf(message, tooLarge, &most) // it is what it is made by
			message = fmt.Sprintf("the body is too large; send less than %d bytes at once", most)
		case len(found.list) > 0:
			message = strings.TrimPrefix(found.list[0].Field+": "+found.list[0].Message, ": ")
		}
		return problemOf(status, code, message, found.list...)
	}
}

// faultList is what is wrong with one request, no more than is told.
type faultList struct {
	list   []fault
	fields map[string]struct{}
	only   bool // nothing else that is said can be relied on
}

func (l *faultList) full() bool { return l.only || len(l.list) >= maxFaults }

// take adds what the error says, and returns the status that it has the answer be.
func (l *faultList) take(err error, status int) int {
	d := (huma.ErrorDetailer)(nil)
	if !errors.As(err, &d) {
		if err != nil {
			l.add(fault{Message: err.Error()})
		}
		return status
	}
	detail := d.ErrorDetail()
	if r, is := refusalIn(detail.Message); is {
		for _, f := range r.Faults {
			l.add(f)
		}
		return r.Status
	}
	if strings.HasPrefix(detail.Message, huma.ErrUnknownContentType.Error()) {
		status = http.StatusUnsupportedMediaType
	}
	l.add(fault{fieldName(detail.Location), detail.Message}) // not the value: it may be the whole body
	return status
}

// add adds a fault. Once a field is wrong, what else may be said of it follows from that.
func (l *faultList) add(f fault) {
	f = fault{clip(f.Field, maxWords), clip(f.Message, maxWords)}
	if _, twice := l.fields[f.Field]; twice || l.full() {
		return
	}
	if f.Field == "body" { // nothing that is said of its fields can be relied on
		l.list, l.only = l.list[:0], true
	}
	if l.fields == nil {
		l.fields = map[string]struct{}{}
	}
	l.fields[f.Field] = struct{}{}
	l.list = append(l.list, f)
}

// maxWords is how many bytes of a field's name, and of what is said of it, are told: both may
// have words of the caller's in them.
const maxWords = 512

// fieldName is a location as huma has it, `body.updates[0].xp`, without where
// in the request it is.
func fieldName(location string) string {
	for _, part := range []string{"body.", "query.", "path.", "header."} {
		if field, ok := strings.CutPrefix(location, part); ok {
			return field
		}
	}
	return location
}

// statuses of the store's refusals.
var statuses = map[live.Code]int{
	live.UserNotFound:    http.StatusNotFound,
	live.NegativeTotal:   http.StatusUnprocessableEntity,
	live.TotalTooLarge:   http.StatusUnprocessableEntity,
	live.KeyReused:       http.StatusUnprocessableEntity,
	live.NothingToChange: http.StatusUnprocessableEntity,
	live.OwnFriend:       http.StatusUnprocessableEntity,
	live.Invalid:         http.StatusUnprocessableEntity,
	live.TooManyFriends:  http.StatusUnprocessableEntity,
}

// fail returns the problem that err is. What callers can't help is logged.
func (a *api) fail(ctx context.Context, err error) error {
	return a.failAt(ctx, err, func(_ int, field string) string { return field })
}

// failAt is fail for a batch: field names the input that a refusal is about, by
// its place in the batch and its own name.
func (a *api) failAt(ctx context.Context, err error, field func(int, string) string) error {
	if err == nil {
		return nil
	}
	var refusal *live.Error
	if _, ok := errors.AsType[*problem](err); ok {
		return err // it is one already
	}
	switch {
	case errors.As(err, &refusal):
		faults := []fault{{field(refusal.Index, refusal.Field), refusal.Message}}
		for _, other := range refusal.Others {
			faults = append(faults, fault{field(other.Index, other.Field), other.Message})
		}
		return problemOf(statuses[refusal.Code], string(refusal.Code), faults[0].Field+": "+faults[0].Message, faults...)
	case errors.Is(err, live.ErrUnknownBoard):
		return problemOf(http.StatusNotFound, "unknown_board",
			"board: there is no such board; give global, a group's such as school:42, or friends: with a user's id", fault{"board", "unknown board"})
	case errors.Is(err, live.ErrNotOnBoard):
		return problemOf(http.StatusNotFound, "not_on_board",
			"around: this user is not on the board in this period; give another, or leave around out", fault{"around", "not on the board"})
	case errors.Is(err, live.ErrNotMember):
		return notMember("it")
	case errors.Is(err, live.ErrNotClosed):
		return problemOf(http.StatusNotFound, "unknown_period",
			"start: no period of this kind (see the parameter period) that has it is closed, or it is not kept any more; without start the answer is the list", fault{"start", "no closed period"})
	case errors.Is(err, live.ErrBusy):
		return unavailable("busy", "more writes are waiting than the disk can take; try again")
	case errors.Is(err, live.ErrClosed), errors.Is(err, sse.ErrDraining):
		return retryAfter(problemOf(http.StatusServiceUnavailable, "shutting_down", "the service is shutting down; try again"), 1, 5)
	case errors.Is(err, sse.ErrFull):
		return retryAfter(problemOf(http.StatusServiceUnavailable, "too_many_streams",
			"the service holds as many streams as it may; try again later, or have its operator raise --max-streams"), 5, 15)
	case errors.Is(err, sse.ErrFullForAnonymous):
		return retryAfter(problemOf(http.StatusServiceUnavailable, "too_many_streams",
			"the service holds as many streams without a token as it may; show a token, try again later, or have its operator raise --max-streams"), 5, 15)
	case errors.Is(err, sse.ErrFullForAddress):
		return retryAfter(problemOf(http.StatusTooManyRequests, "too_many_streams_of_address",
			"this address has as many streams without a token as one may; show a token, close another, or follow several boards in one"), 5, 30)
	case errors.Is(err, sse.ErrNoStream):
		return problemOf(http.StatusNotFound, "unknown_stream", "socketId: the caller has no such stream; connect anew", fault{"socketId", "unknown stream"})
	case errors.Is(err, errNoRoom):
		return unavailable("busy", "more answers are asked for, or are not read, than the service can hold at once; try again")
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return unavailable("timeout", "it took too long; try again. Points may have been given or not: repeat that with the same Idempotency-Key")
	case errors.Is(err, live.ErrUnavailable):
		a.Log.DebugContext(ctx, "write failed", "error", err) // that they fail is said once
		return unavailable("database_unavailable", "the database can't be written now"+because(err)+"; nothing was changed, try again")
	}
	a.Log.ErrorContext(ctx, "request failed", "error", err)
	if reason := because(a.Live.Fault(err)); reason != "" {
		return unavailable("database_unavailable", "the database can't be read now"+reason+"; try again")
	}
	return problemOf(http.StatusInternalServerError, "internal", "something went wrong here; it was logged")
}

// because says what keeps the database from being written, for whoever has to mend it.
func because(err error) string {
	for _, fault := range []error{live.ErrDiskFull, live.ErrReadOnly, live.ErrLocked, live.ErrDamaged, live.ErrGone, live.ErrIO} {
		if errors.Is(err, fault) {
			return " (" + fault.Error() + ")"
		}
	}
	return ""
}

func unavailable(code, detail string) error {
	return retryAfter(problemOf(http.StatusServiceUnavailable, code, detail), 1, 1)
}

// retryAfter has the caller come back after some seconds: at random, where all
// that are refused at once must not return at once.
func retryAfter(p *problem, least, most int) error {
	seconds := least + rand.IntN(most-least+1) //nolint:gosec // it spreads; it guards nothing
	return huma.ErrorWithHeaders(p, http.Header{"Retry-After": {strconv.Itoa(seconds)}})
}

// writeError writes an error of fail where huma does not.
func (a *api) writeError(w http.ResponseWriter, err error) {
	if with, ok := errors.AsType[huma.HeadersError](err); ok {
		maps.Copy(w.Header(), with.GetHeaders())
	}
	if p, ok := errors.AsType[*problem](err); ok {
		a.write(w, p)
	}
}

// write writes the problem where huma does not.
func (a *api) write(w http.ResponseWriter, p *problem) {
	w.Header().Set("Content-Type", p.ContentType(""))
	w.WriteHeader(p.Status)
	if err := json.NewEncoder(w).Encode(p); err != nil {
		a.Log.Debug("write problem", "error", fmt.Errorf("%s: %w", p.Code, err))
	}
}
