package api

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/validation"
	"github.com/go-json-experiment/json/jsontext"
)

// errEnough ends the reading of a body that has more wrong with it than is told.
var errEnough = errors.New("enough faults")

// reading is one body that is being read.
type reading struct {
	registry huma.Registry
	json     *jsontext.Decoder
	values   int    // that were read
	path     []byte // of the value that is read
	faults   []fault
}

// whole reads the body to its end. Errors are errEnough, and what is no JSON.
func (r *reading) whole(schema *huma.Schema) error {
	if err := r.value(schema); err != nil {
		return err
	}
	if _, err := r.json.ReadToken(); !errors.Is(err, io.EOF) {
		if err = lenience(err); err == nil {
			err = errors.New("the body has something behind its value; send one value")
		}
		return err
	}
	return nil
}

// token reads the next one.
func (r *reading) token() (jsontext.Token, error) {
	t, err := r.json.ReadToken()
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF // there is no value
	}
	if err != nil {
		return t, lenience(err)
	}
	if r.json.StackDepth() > maxDepth {
		return t, fmt.Errorf("the body is nested deeper than %d levels", maxDepth)
	}
	if r.values++; r.values > maxValues {
		if len(r.faults) == 0 { // else these say more
			r.faults = []fault{{"body", fmt.Sprintf("has more than %d names and values; send fewer at once", maxValues)}}
		}
		return t, errEnough
	}
	return t, nil
}

// fault notes what is wrong with the value that is read.
func (r *reading) fault(message string) error {
	field := string(r.path)
	if field == "" {
		field = "body"
	}
	r.faults = append(r.faults, fault{field, message})
	if len(r.faults) >= maxFaults {
		return errEnough
	}
	return nil
}

// value reads one value, and notes where it is not as the schema has it.
func (r *reading) value(s *huma.Schema) error {
	for s.Ref != "" {
		s = r.registry.SchemaFromRef(s.Ref)
	}
	kind := r.json.PeekKind()
	switch {
	case kind == jsontext.KindBeginObject && s.Type == huma.TypeObject:
		return r.object(s)
	case kind == jsontext.KindBeginArray && s.Type == huma.TypeArray:
		return r.array(s)
	case kind == jsontext.KindBeginObject || kind == jsontext.KindBeginArray:
		if s.Type != "" {
			if err := r.check(s, []any{}); err != nil {
				return err
			}
		}
		return r.skip()
	}
	t, err := r.token()
	if err != nil {
		return err
	}
	switch t.Kind() {
	case jsontext.KindString:
		return r.check(s, t.String())
	case jsontext.KindTrue, jsontext.KindFalse:
		return r.check(s, t.Bool())
	case jsontext.KindNumber:
		return r.number(s, t)
	}
	return r.check(s, nil)
}

// check has huma look at a value that has no others in it.
func (r *reading) check(s *huma.Schema, v any) error {
	var found huma.ValidateResult
	huma.Validate(r.registry, s, huma.NewPathBuffer(nil, 0), huma.ModeWriteToServer, v, &found)
	if len(found.Errors) == 0 {
		return nil
	}
	message := found.Errors[0].Error()
	if d, ok := errors.AsType[*huma.ErrorDetail](found.Errors[0]); ok {
		message = d.Message
	}
	return r.fault(message)
}

func (r *reading) number(s *huma.Schema, t jsontext.Token) error {
	text, before := t.String(), len(r.faults)
	number, _ := t.Float() // past what fits, it is as far as it goes
	if err := r.check(s, number); err != nil || len(r.faults) > before || s.Type != huma.TypeInteger {
		return err
	}
	if _, err := strconv.ParseInt(text, 10, 64); err != nil {
		return r.fault("write a whole number plainly, such as 50")
	}
	return nil
}

// skip reads a value that nothing is known of.
func (r *reading) skip() error {
	around := r.json.StackDepth()
	for {
		if _, err := r.token(); err != nil {
			return err
		}
		if r.json.StackDepth() == around {
			return nil
		}
	}
}

func (r *reading) array(s *huma.Schema) error {
	if _, err := r.token(); err != nil {
		return err
	}
	around, n := len(r.path), 0
	for ; r.json.PeekKind() != jsontext.KindEndArray; n++ {
		over := s.MaxItems != nil && n >= *s.MaxItems
		var err error
		switch {
		case over && n == *s.MaxItems:
			err = errors.Join(r.fault(fmt.Sprintf(validation.MsgExpectedMaxItems, n)), r.skip())
		case over:
			err = r.skip()
		default:
			r.path = append(strconv.AppendInt(append(r.path, '['), int64(n), 10), ']')
			err = r.value(s.Items)
			r.path = r.path[:around]
		}
		if err != nil {
			return err
		}
	}
	if s.MinItems != nil && n < *s.MinItems {
		if err := r.fault(fmt.Sprintf(validation.MsgExpectedMinItems, *s.MinItems)); err != nil {
			return err
		}
	}
	_, err := r.token()
	return err
}

func (r *reading) object(s *huma.Schema) error {
	if _, err := r.token(); err != nil {
		return err
	}
	around, n := len(r.path), 0
	var room [16]string
	seen := room[:0] // of the properties that the schema names
	for ; r.json.PeekKind() != jsontext.KindEndObject; n++ {
		t, err := r.token()
		if err != nil {
			return err
		}
		name := t.String()
		r.path = appendName(r.path, name)
		if _, known := s.Properties[name]; known {
			seen = append(seen, name)
		}
		err = r.property(s, name)
		r.path = r.path[:around]
		if err != nil {
			return err
		}
	}
	if _, err := r.token(); err != nil {
		return err
	}
	for _, name := range s.Required {
		if slices.Contains(seen, name) || s.Properties[name] != nil && s.Properties[name].ReadOnly {
			continue
		}
		r.path = appendName(r.path, name)
		err := r.fault("is missing; give it")
		r.path = r.path[:around]
		if err != nil {
			return err
		}
	}
	switch {
	case s.MinProperties != nil && n < *s.MinProperties:
		return r.fault(fmt.Sprintf(validation.MsgExpectedMinProperties, *s.MinProperties))
	case s.MaxProperties != nil && n > *s.MaxProperties:
		return r.fault(fmt.Sprintf(validation.MsgExpectedMaxProperties, *s.MaxProperties))
	}
	return nil
}

// property reads the value of an object's property.
func (r *reading) property(s *huma.Schema, name string) error {
	of, known := s.Properties[name]
	if !known {
		switch other := s.AdditionalProperties.(type) {
		case *huma.Schema:
			return r.value(other)
		case bool:
			if !other {
				if err := r.fault(validation.MsgUnexpectedProperty); err != nil {
					return err
				}
			}
		}
		return r.skip()
	}
	if r.json.PeekKind() == jsontext.KindNull && (s.Nullable || !slices.Contains(s.Required, name)) {
		return r.skip() // it is as if it were absent
	}
	return r.value(of)
}

// maxField is how many bytes of a name stand in the path of a fault.
const maxField = 64

// appendName appends a property's name to the path, not all of one without end.
func appendName(path []byte, name string) []byte {
	if len(path) > 0 {
		path = append(path, '.')
	}
	return append(path, clip(name, maxField)...)
}

// clip returns no more than so many bytes of a text, whole characters.
func clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most] + "…"
}
