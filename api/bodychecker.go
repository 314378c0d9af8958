package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-json-experiment/json/jsontext"
)

const (
	// maxDepth bounds how deep the values of a body are nested. The API needs 6 levels.
	maxDepth = 16

	// maxValues bounds the names and values of one body, because decoding a short one may take many
	// times its length. A thousand profiles in ten groups each have less than half as many.
	maxValues = 128 << 10
)

// bodyChecker compares the bodies of requests with their schemas, token by token, and then decodes
// them. huma would decode the whole body first, into forty times its size, and then look for all
// its faults. It is safe for concurrent use once it has learned.
type bodyChecker struct {
	registry huma.Registry
	schemas  map[reflect.Type]*huma.Schema
}

// learn remembers the schema of each body that an operation takes. It panics if a schema can't be
// checked token by token.
func (c *bodyChecker) learn(doc *huma.OpenAPI) {
	c.registry, c.schemas = doc.Components.Schemas, map[reflect.Type]*huma.Schema{}
	for _, item := range doc.Paths {
		for _, op := range []*huma.Operation{item.Put, item.Post, item.Patch, item.Delete} {
			if op == nil || op.RequestBody == nil {
				continue
			}
			for _, media := range op.RequestBody.Content {
				if media.Schema != nil && media.Schema.Ref != "" {
					c.follow(media.Schema, map[string]bool{})
					c.schemas[c.registry.TypeFromRef(media.Schema.Ref)] = media.Schema
				}
			}
		}
	}
}

// follow panics if some rule of the schema needs a whole value to be checked. visited has the
// references that were followed.
func (c *bodyChecker) follow(s *huma.Schema, visited map[string]bool) {
	if s == nil || visited[s.Ref] && s.Ref != "" {
		return
	}
	if s.Ref != "" {
		visited[s.Ref] = true
		c.follow(c.registry.SchemaFromRef(s.Ref), visited)
		return
	}
	if len(s.OneOf)+len(s.AnyOf)+len(s.AllOf)+len(s.DependentRequired) > 0 || s.Not != nil || s.UniqueItems {
		panic(fmt.Sprintf("api: the schema of a body has a rule that can't be checked token by token: %+v", s))
	}
	c.follow(s.Items, visited)
	for _, property := range s.Properties {
		c.follow(property, visited)
	}
	if other, is := s.AdditionalProperties.(*huma.Schema); is {
		c.follow(other, visited)
	}
}

// unmarshal is like json.Unmarshal, but strict. It refuses what a lenient reader accepts and
// changes: an object that has a name twice, text that is not Unicode, nesting without end. Its
// errors are of type *refusal.
//
// It decodes the value even if the schema found faults, unless there are too many, so that faults
// that Resolve methods find in the value are named as well.
func (c *bodyChecker) unmarshal(data []byte, v any) error {
	if !utf8.Valid(data) {
		return notJSON("the body is not valid UTF-8")
	}
	t := reflect.TypeOf(v)
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	schema := c.schemas[t]
	if schema == nil {
		schema = &huma.Schema{} // it allows everything
	}
	d := &bodyDecoder{registry: c.registry, json: jsontext.NewDecoder(bytes.NewBuffer(data))}
	err := d.body(schema)
	if errors.Is(err, errTooManyFaults) {
		return invalidBody(d.faults)
	}
	if err != nil {
		return notJSON(err.Error())
	}
	err = json.Unmarshal(data, v)
	wrong, mistyped := errors.AsType[*json.UnmarshalTypeError](err)
	switch {
	case len(d.faults) > 0: // they are more exact than err
		return invalidBody(d.faults)
	case mistyped:
		return invalidBody([]fault{{"body", fmt.Sprintf("can't take the %s; write a whole number plainly, such as 50", wrong.Value)}})
	case err != nil:
		return invalidBody([]fault{{"body", err.Error()}})
	}
	return nil
}

// refusal says why a body is not accepted. huma only passes on the text of an error, so the text
// contains all of it; see refusalIn.
type refusal struct {
	Status int     `json:"status"`
	Faults []fault `json:"faults"`
}

// refusalPrefix begins the text of a refusal. No error of huma's begins like that.
const refusalPrefix = "\x00"

// Error implements error.
func (r *refusal) Error() string {
	text, err := json.Marshal(r)
	if err != nil {
		panic(err) // numbers and strings always have a JSON form
	}
	return refusalPrefix + string(text)
}

func notJSON(why string) error { return &refusal{400, []fault{{"body", why}}} }

func invalidBody(faults []fault) error { return &refusal{422, faults} }

// refusalIn returns the refusal with that text.
func refusalIn(text string) (r refusal, is bool) {
	rest, is := strings.CutPrefix(text, refusalPrefix)
	is = is && json.Unmarshal([]byte(rest), &r) == nil
	return r, is
}

// syntaxError returns the error that callers are told about an error of the JSON decoder. It
// returns nil at the end of the input.
func syntaxError(err error) error {
	syntax, is := errors.AsType[*jsontext.SyntacticError](err)
	switch {
	case errors.Is(err, io.EOF):
		return nil
	case errors.Is(err, jsontext.ErrDuplicateName):
		return fmt.Errorf("the body has the field %s twice; give it once", syntax.JSONPointer)
	case is:
		return errors.New("the body is not JSON, or contains text that is not Unicode")
	}
	return err
}
