package api

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

// maxDepth bounds how deep values stand within values. What the API takes needs 6.
const maxDepth = 16

// strict returns why a body is not taken though a lenient reader would: a name that
// stands twice in an object, of which one would be lost; text that is not Unicode,
// which would be replaced; nesting without end. It
// makes no values.
func strict(data []byte) error {
	d := jsontext.NewDecoder(bytes.NewBuffer(data))
	for {
		if _, err := d.ReadToken(); err != nil {
			return lenience(err)
		}
		if d.StackDepth() > maxDepth {
			return fmt.Errorf("the body is nested deeper than %d levels", maxDepth)
		}
	}
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
