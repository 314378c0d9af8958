package api

import (
	"errors"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"marcador/internal/validate"
)

// maxFaults is how many faults of one request are named. Reading the body stops there.
const maxFaults = 100

// maxWords is how many bytes of a field's name, and of what is wrong with it, an answer repeats.
// Both may contain text of the caller's.
const maxWords = 512

// fault is what is wrong with one field of the input.
type fault struct {
	Field   string `json:"field" example:"updates[0].xp"`
	Message string `json:"message"`
}

// faults collects what Resolve methods find wrong with an input. An entry's location is the prefix
// and the name of the field.
type faults struct {
	prefix string
	list   []error
}

// add adds a fault, unless the message is empty.
func (f *faults) add(field, message string) {
	if message != "" && len(f.list) < maxFaults {
		f.list = append(f.list, &huma.ErrorDetail{Location: strings.TrimSuffix(f.prefix+field, "."), Message: message})
	}
}

// id brings a user's id into its canonical form, and adds what is wrong with it.
func (f *faults) id(ctx huma.Context, field string, id *string) {
	var fault string
	*id, fault = validate.IDIn(*id, serviceOf(ctx.Context()).Has)
	f.add(field, fault)
}

// faultList collects the faults of one request for its problem: up to maxFaults, and one for each
// field.
type faultList struct {
	list   []fault
	fields map[string]struct{}
	closed bool // the body as a whole is wrong, so faults of its fields would mislead
}

func (l *faultList) full() bool { return l.closed || len(l.list) >= maxFaults }

// take adds the faults that an error of huma's names. It returns the status of the answer, which
// is the given one unless the error asks for another.
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
	// The value is left out: it may be the whole body.
	l.add(fault{fieldName(detail.Location), detail.Message})
	return status
}

// add adds a fault unless the field has one already: a second one follows from the first.
func (l *faultList) add(f fault) {
	f = fault{clip(f.Field, maxWords), clip(f.Message, maxWords)}
	if _, twice := l.fields[f.Field]; twice || l.full() {
		return
	}
	if f.Field == "body" {
		l.list, l.closed = l.list[:0], true
	}
	if l.fields == nil {
		l.fields = map[string]struct{}{}
	}
	l.fields[f.Field] = struct{}{}
	l.list = append(l.list, f)
}

// fieldName returns a location of huma's, such as body.updates[0].xp, without the part of the
// request in front.
func fieldName(location string) string {
	for _, part := range []string{"body.", "query.", "path.", "header."} {
		if field, ok := strings.CutPrefix(location, part); ok {
			return field
		}
	}
	return location
}

// clip returns up to size bytes of a text, cut between characters.
func clip(s string, size int) string {
	if len(s) <= size {
		return s
	}
	for size > 0 && !utf8.RuneStart(s[size]) {
		size--
	}
	return s[:size] + "…"
}
