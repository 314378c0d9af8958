package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// problem is an error as in RFC 9457, with a stable code.
type problem struct {
	Type   string  `json:"type" default:"about:blank"`
	Title  string  `json:"title" doc:"The status in words"`
	Status int     `json:"status"`
	Detail string  `json:"detail" doc:"What is wrong, and what to do"`
	Code   string  `json:"code" doc:"Stable name of the error"`
	Errors []fault `json:"errors,omitempty" doc:"What is wrong with each field"`
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

// invalid returns the problem with one field of the input.
func invalid(field, message string) *problem {
	return problemOf(http.StatusUnprocessableEntity, "invalid_input", field+": "+message, fault{field, message})
}

// codes are the codes of the errors that huma finds, by status.
var codes = map[int]string{
	http.StatusBadRequest:            "invalid_json",
	http.StatusNotFound:              "not_found",
	http.StatusRequestTimeout:        "request_timeout",
	http.StatusRequestEntityTooLarge: "body_too_large",
	http.StatusUnsupportedMediaType:  "unsupported_media_type",
	http.StatusUnprocessableEntity:   "invalid_input",
}

// huma has two package variables to set. NewError makes its errors. ValidateStrictCasing makes
// names case-sensitive: without it {"xp":1,"XP":2} would be valid, and mean 2.
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
			_, _ = fmt.Sscanf(message, tooLarge, &most) // the message was made with this format
			message = fmt.Sprintf("the body is too large; send less than %d bytes at once", most)
		case len(found.list) > 0:
			message = strings.TrimPrefix(found.list[0].Field+": "+found.list[0].Message, ": ")
		}
		return problemOf(status, code, message, found.list...)
	}
}

// writeError writes an error of fail where huma does not do it.
func (a *api) writeError(w http.ResponseWriter, err error) {
	if with, ok := errors.AsType[huma.HeadersError](err); ok {
		maps.Copy(w.Header(), with.GetHeaders())
	}
	if p, ok := errors.AsType[*problem](err); ok {
		a.write(w, p)
	}
}

// write writes a problem where huma does not do it.
func (a *api) write(w http.ResponseWriter, p *problem) {
	w.Header().Set("Content-Type", p.ContentType(""))
	w.WriteHeader(p.Status)
	if err := json.NewEncoder(w).Encode(p); err != nil {
		a.Log.Debug("write problem", "error", fmt.Errorf("%s: %w", p.Code, err))
	}
}
