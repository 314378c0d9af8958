package transfer

import (
	"cmp"
	"fmt"
	"slices"
)

// maxFaults is how many faults of an input are named.
const maxFaults = 100

// InputError says what is wrong with an input, and where.
type InputError struct {
	Line    int
	Field   string // or empty
	Message string // says what to do, too
}

func (e *InputError) Error() string {
	if e.Field == "" {
		return fmt.Sprintf("line %d: %s", e.Line, e.Message)
	}
	return fmt.Sprintf("line %d: %s: %s", e.Line, e.Field, e.Message)
}

// Faults is all that is wrong with an input, where that is more than one thing.
type Faults struct {
	Named []*InputError // the first of them, by line
	More  int           // how many more were found
}

// Error is one line, with the first fault.
func (f *Faults) Error() string {
	return fmt.Sprintf("there are %d faults; the first is %v", len(f.Named)+f.More, f.Named[0])
}

// Unwrap returns the first fault.
func (f *Faults) Unwrap() error { return f.Named[0] }

func (f *Faults) add(list ...*InputError) {
	room := min(maxFaults-len(f.Named), len(list))
	f.Named = append(f.Named, list[:room]...)
	f.More += len(list) - room
}

// full reports whether no more faults will be named.
func (f *Faults) full() bool { return len(f.Named) == maxFaults }

// err returns nil where nothing is wrong, and a fault that is alone as it is.
func (f *Faults) err() error {
	switch len(f.Named) {
	case 0:
		return nil
	case 1:
		return f.Named[0]
	}
	slices.SortStableFunc(f.Named, func(a, b *InputError) int { return cmp.Compare(a.Line, b.Line) })
	return f
}
