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
	// maxDepth bounds how deep values stand within values. What the API takes needs 6.
	maxDepth = 16

	// maxValues bounds the names and values of one body, since what is made of a short one takes
	// many times its length. A thousand profiles in ten groups each have less than half as many.
	maxValues = 128 << 10

	// maxFaults is how many faults of one request are told. Reading stops there.
	maxFaults = 100
)

// checker compares bodies of requests with their schemas, token by token. It makes no values,
// and takes one pass at most: huma would make any of the whole body, forty times its size, and
// look for all its faults. Safe for concurrent use once it has learned.
type checker struct {
	registry huma.Registry
	schemas  map[reflect.Type]*huma.Schema
}

// learn notes the schema of each body that an operation takes. It panics where a body can't be
// compared with it token by token.
func (c *checker) learn(doc *huma.OpenAPI) {
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

// follow panics where something in the schema would need a whole value to be compared with. Seen
// are references that were followed.
func (c *checker) follow(s *huma.Schema, seen map[string]bool) {
	if s == nil || seen[s.Ref] && s.Ref != "" {
		return
	}
	if s.Ref != "" {
		seen[s.Ref] = true
		c.follow(c.registry.SchemaFromRef(s.Ref), seen)
		return
	}
	if len(s.OneOf)+len(s.AnyOf)+len(s.AllOf)+len(s.DependentRequired) > 0 || s.Not != nil || s.UniqueItems {
		panic(fmt.Sprintf("api: the schema of a body has more to it than can be checked as it is read: %+v", s))
	}
	c.follow(s.Items, seen)
	for _, property := range s.Properties {
		c.follow(property, seen)
	}
	if other, is := s.AdditionalProperties.(*huma.Schema); is {
		c.follow(other, seen)
	}
}

// unmarshal is json.Unmarshal for those who mean what they say. It refuses what a lenient reader
// takes: a name that stands twice in an object, of which one would be lost; text that is not
// Unicode, which would be replaced; nesting without end. Its errors are *refusal.
//
// A value is made although faults were found, so that what only the values show is said as well,
// unless there is a great deal of it.
func (c *checker) unmarshal(data []byte, v any) error {
	if !utf8.Valid(data) {
		return notJSON("the body is not valid UTF-8")
	}
	t := reflect.TypeOf(v)
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	schema := c.schemas[t]
	if schema == nil {
		schema = &huma.Schema{} // anything
	}
	r := &reading{registry: c.registry, json: jsontext.NewDecoder(bytes.NewBuffer(data))}
	err := r.whole(schema)
	if errors.Is(err, errEnough) {
		return invalidBody(r.faults)
	}
	if err != nil {
		return notJSON(err.Error())
	}
	err = json.Unmarshal(data, v)
	wrong, mistyped := errors.AsType[*json.UnmarshalTypeError](err)
	switch {
	case len(r.faults) > 0: // they say it better
		return invalidBody(r.faults)
	case mistyped:
		return invalidBody([]fault{{"body", fmt.Sprintf("can't take the %s; write a whole number plainly, such as 50", wrong.Value)}})
	case err != nil:
		return invalidBody([]fault{{"body", err.Error()}})
	}
	return nil
}

// refusal is why a body is not taken. Huma keeps only an error's text, so the text has all of it;
// see refusalIn.
type refusal struct {
	Status int     `json:"status"`
	Faults []fault `json:"faults"`
}

// refusalMark begins the text of a refusal. No other error of huma's begins so.
const refusalMark = "\x00"

// Error implements error.
func (r *refusal) Error() string {
	text, err := json.Marshal(r)
	if err != nil {
		panic(err) // numbers and strings always have a JSON form
	}
	return refusalMark + string(text)
}

func notJSON(why string) error { return &refusal{400, []fault{{"body", why}}} }

func invalidBody(faults []fault) error { return &refusal{422, faults} }

// refusalIn returns the refusal whose text that is.
func refusalIn(text string) (r refusal, is bool) {
	rest, is := strings.CutPrefix(text, refusalMark)
	is = is && json.Unmarshal([]byte(rest), &r) == nil
	return r, is
}

// lenience words what ends the reading: nil at the end.
func lenience(err error) error {
	syntax, is := errors.AsType[*jsontext.SyntacticError](err)
	switch {
	case errors.Is(err, io.EOF):
		return nil
	case errors.Is(err, jsontext.ErrDuplicateName):
		return fmt.Errorf("the body has the field %s twice; give it once", syntax.JSONPointer)
	case is:
		return errors.New("the body is not JSON, or has text in it that is not Unicode")
	}
	return err
}
