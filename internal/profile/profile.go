// Package profile has the changes to a person's profile, in the form of a JSON merge patch (RFC
// 7396): a field that is absent stays as it is.
package profile

import (
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Field is a field of a patch, whose value may be absent. The zero value is an absent field. In
// JSON, null stands for the zero value of T.
type Field[T any] struct {
	Given bool
	Value T
}

// Given returns a field that has the value.
func Given[T any](value T) Field[T] { return Field[T]{true, value} }

// Set copies the field's value to value if the field is given. It reports whether it is.
func (f Field[T]) Set(value *T) bool {
	if f.Given {
		*value = f.Value
	}
	return f.Given
}

// IsZero reports whether the field is absent. JSON encoders then leave it out.
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
		return err //nolint:wrapcheck // the decoder's error says where in the input
	}
	*f = Given(value)
	return nil
}

// MarshalJSONTo implements json.MarshalerTo. A nil map becomes null, which it was decoded from.
func (f Field[T]) MarshalJSONTo(e *jsontext.Encoder) error {
	return json.MarshalEncode(e, f.Value, json.FormatNilMapAsNull(true)) //nolint:wrapcheck // the encoder's error is enough
}

// Patch has the changes to a profile. An empty text removes the one that was there.
type Patch struct {
	Username  Field[string] `json:"username,omitzero"`
	Avatar    Field[string] `json:"avatar,omitzero"`
	Email     Field[string] `json:"email,omitzero"`
	Pseudonym Field[string] `json:"pseudonym,omitzero"`
	Hidden    Field[bool]   `json:"hidden,omitzero"`

	// Groups has the ids of groups by kind. A kind that is absent stays as it is, a kind without
	// ids is removed, and nil removes all kinds.
	Groups Field[map[string][]string] `json:"groups,omitzero"`
}
