package api

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/validation"
	"github.com/go-json-experiment/json/jsontext"
)

// errTooManyFaults ends the reading of a body that has more faults than an answer names.
var errTooManyFaults = errors.New("too many faults")

// bodyDecoder reads one body token by token and compares it with a schema. Its methods return
// errTooManyFaults, or an error that says why the body is not JSON.
type bodyDecoder struct {
	registry huma.Registry
	json     *jsontext.Decoder
	values   int    // names and values that were read
	path     []byte // of the value that is being read, such as updates[0].xp
	faults   []fault
}

// body reads the whole body.
func (d *bodyDecoder) body(schema *huma.Schema) error {
	if err := d.value(schema); err != nil {
		return err
	}
	if _, err := d.json.ReadToken(); !errors.Is(err, io.EOF) {
		if err = syntaxError(err); err == nil {
			err = errors.New("the body has something behind its value; send one value")
		}
		return err
	}
	return nil
}

// token reads the next token.
func (d *bodyDecoder) token() (jsontext.Token, error) {
	t, err := d.json.ReadToken()
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF // a value is missing
	}
	if err != nil {
		return t, syntaxError(err)
	}
	if d.json.StackDepth() > maxDepth {
		return t, fmt.Errorf("the body is nested deeper than %d levels", maxDepth)
	}
	if d.values++; d.values > maxValues {
		if len(d.faults) == 0 { // other faults are more helpful
			d.faults = []fault{{"body", fmt.Sprintf("has more than %d names and values; send fewer at once", maxValues)}}
		}
		return t, errTooManyFaults
	}
	return t, nil
}

// fault adds a fault of the value that is being read.
func (d *bodyDecoder) fault(message string) error {
	field := string(d.path)
	if field == "" {
		field = "body"
	}
	d.faults = append(d.faults, fault{field, message})
	if len(d.faults) >= maxFaults {
		return errTooManyFaults
	}
	return nil
}

// value reads one value and compares it with the schema.
func (d *bodyDecoder) value(s *huma.Schema) error {
	for s.Ref != "" {
		s = d.registry.SchemaFromRef(s.Ref)
	}
	kind := d.json.PeekKind()
	switch {
	case kind == jsontext.KindBeginObject && s.Type == huma.TypeObject:
		return d.object(s)
	case kind == jsontext.KindBeginArray && s.Type == huma.TypeArray:
		return d.array(s)
	case kind == jsontext.KindBeginObject || kind == jsontext.KindBeginArray:
		if s.Type != "" {
			if err := d.check(s, []any{}); err != nil {
				return err
			}
		}
		return d.skip()
	}
	t, err := d.token()
	if err != nil {
		return err
	}
	switch t.Kind() {
	case jsontext.KindString:
		return d.check(s, t.String())
	case jsontext.KindTrue, jsontext.KindFalse:
		return d.check(s, t.Bool())
	case jsontext.KindNumber:
		return d.number(s, t)
	}
	return d.check(s, nil)
}

// check has huma compare a value that is no list and no object.
func (d *bodyDecoder) check(s *huma.Schema, v any) error {
	var found huma.ValidateResult
	huma.Validate(d.registry, s, huma.NewPathBuffer(nil, 0), huma.ModeWriteToServer, v, &found)
	if len(found.Errors) == 0 {
		return nil
	}
	message := found.Errors[0].Error()
	if detail, ok := errors.AsType[*huma.ErrorDetail](found.Errors[0]); ok {
		message = detail.Message
	}
	return d.fault(message)
}

func (d *bodyDecoder) number(s *huma.Schema, t jsontext.Token) error {
	text, before := t.String(), len(d.faults)
	number, _ := t.Float() // the largest number there is if it does not fit
	if err := d.check(s, number); err != nil || len(d.faults) > before || s.Type != huma.TypeInteger {
		return err
	}
	if _, err := strconv.ParseInt(text, 10, 64); err != nil {
		return d.fault("write a whole number plainly, such as 50")
	}
	return nil
}

// skip reads a value without a schema.
func (d *bodyDecoder) skip() error {
	outer := d.json.StackDepth()
	for {
		if _, err := d.token(); err != nil {
			return err
		}
		if d.json.StackDepth() == outer {
			return nil
		}
	}
}

func (d *bodyDecoder) array(s *huma.Schema) error {
	if _, err := d.token(); err != nil {
		return err
	}
	outer, n := len(d.path), 0
	for ; d.json.PeekKind() != jsontext.KindEndArray; n++ {
		over := s.MaxItems != nil && n >= *s.MaxItems
		var err error
		switch {
		case over && n == *s.MaxItems:
			err = errors.Join(d.fault(fmt.Sprintf(validation.MsgExpectedMaxItems, n)), d.skip())
		case over:
			err = d.skip()
		default:
			d.path = append(strconv.AppendInt(append(d.path, '['), int64(n), 10), ']')
			err = d.value(s.Items)
			d.path = d.path[:outer]
		}
		if err != nil {
			return err
		}
	}
	if s.MinItems != nil && n < *s.MinItems {
		if err := d.fault(fmt.Sprintf(validation.MsgExpectedMinItems, *s.MinItems)); err != nil {
			return err
		}
	}
	_, err := d.token()
	return err
}

func (d *bodyDecoder) object(s *huma.Schema) error {
	if _, err := d.token(); err != nil {
		return err
	}
	outer, n := len(d.path), 0
	var buffer [16]string
	found := buffer[:0] // properties that the schema names
	for ; d.json.PeekKind() != jsontext.KindEndObject; n++ {
		t, err := d.token()
		if err != nil {
			return err
		}
		name := t.String()
		d.path = appendName(d.path, name)
		if _, known := s.Properties[name]; known {
			found = append(found, name)
		}
		err = d.property(s, name)
		d.path = d.path[:outer]
		if err != nil {
			return err
		}
	}
	if _, err := d.token(); err != nil {
		return err
	}
	for _, name := range s.Required {
		if slices.Contains(found, name) || s.Properties[name] != nil && s.Properties[name].ReadOnly {
			continue
		}
		d.path = appendName(d.path, name)
		err := d.fault("is missing; give it")
		d.path = d.path[:outer]
		if err != nil {
			return err
		}
	}
	switch {
	case s.MinProperties != nil && n < *s.MinProperties:
		return d.fault(fmt.Sprintf(validation.MsgExpectedMinProperties, *s.MinProperties))
	case s.MaxProperties != nil && n > *s.MaxProperties:
		return d.fault(fmt.Sprintf(validation.MsgExpectedMaxProperties, *s.MaxProperties))
	}
	return nil
}

// property reads the value of an object's property.
func (d *bodyDecoder) property(s *huma.Schema, name string) error {
	of, known := s.Properties[name]
	if !known {
		switch other := s.AdditionalProperties.(type) {
		case *huma.Schema:
			return d.value(other)
		case bool:
			if !other {
				if err := d.fault(validation.MsgUnexpectedProperty); err != nil {
					return err
				}
			}
		}
		return d.skip()
	}
	if d.json.PeekKind() == jsontext.KindNull && (s.Nullable || !slices.Contains(s.Required, name)) {
		return d.skip() // null means the same as no property
	}
	return d.value(of)
}

// maxField is how many bytes of a name are in the path of a fault.
const maxField = 64

// appendName appends the name of a property to the path, shortened to maxField.
func appendName(path []byte, name string) []byte {
	if len(path) > 0 {
		path = append(path, '.')
	}
	return append(path, clip(name, maxField)...)
}
