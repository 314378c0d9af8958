// Package profile holds the changes to a person's profile, as a merge patch has them: a
// field that is absent stays as it is.
package profile

import (
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Field is a value that may be absent. The zero value is absent. The JSON null gives the
// zero value of T.
type Field[T any] struct {
	Given bool
	Value T
}

// Given returns a field with the value.
func Given[T any](value T) Field[T] { return Field[T]{true, value} }

// Set changes value to the field's, if the field is given, and reports whether it is.
func (f Field[T]) Set(value *T) bool {
	if f.Given {
		*value = f.Value
	}
	return f.Given
}

// IsZero reports whether the field is absent. JSON encoders leave such fields out.
func (f Field[T]) IsZero() bool { return !f.Given }

// UnmarshalJSON implements json.Unmarshaler of encoding/json.
func (f *Field[T]) UnmarshalJSON(b []byte) error {
	var value T
	if err := json.Unmarshal(b, &value); err != nil {
		return fmt.Errorf("read a field: %w", err)
	}
	*f = Given(value)
	return nil
}

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (f *Field[T]) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	var value T
	if err := json.UnmarshalDecode(d, &value); err != nil {
		return err //nolint:wrapcheck // the decoder words it, with the place in the input
	}
	*f = Given(value)
	return nil
}

// MarshalJSONTo implements json.MarshalerTo. A map that is nil becomes null, which it came
// from.
func (f Field[T]) MarshalJSONTo(e *jsontext.Encoder) error {
	return json.MarshalEncode(e, f.Value, json.FormatNilMapAsNull(true)) //nolint:wrapcheck // the encoder words it
}

// Patch is the changes to a profile. A text is removed by an empty one.
type Patch struct {
	Username  Field[string] `json:"username,omitzero"`
	Avatar    Field[string] `json:"avatar,omitzero"`
	Email     Field[string] `json:"email,omitzero"`
	Pseudonym Field[string] `json:"pseudonym,omitzero"`
	Hidden    Field[bool]   `json:"hidden,omitzero"`

	// Groups are ids by kind. A kind that is absent stays; a kind without ids is removed;
	// nil removes all kinds.
	Groups Field[map[string][]string] `json:"groups,omitzero"`
}
