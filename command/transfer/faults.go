package transfer

import (
	"cmp"
	"fmt"
	"slices"
)

// maxFaults is how many faults of an input are reported. The others are only counted.
const maxFaults = 100

// InputError is a fault of an input.
type InputError struct {
	Line    int
	Field   string // or empty
	Message string // what is wrong, and what to do about it
}

func (e *InputError) Error() string {
	if e.Field == "" {
		return fmt.Sprintf("line %d: %s", e.Line, e.Message)
	}
	return fmt.Sprintf("line %d: %s: %s", e.Line, e.Field, e.Message)
}

// Faults are the faults of an input that has more than one.
type Faults struct {
	Named []*InputError // the first maxFaults, sorted by line
	More  int           // how many more were found
}

// Error returns one line, which has the first fault.
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

// full reports whether further faults are only counted.
func (f *Faults) full() bool { return len(f.Named) == maxFaults }

// err returns nil if there are no faults, and a single fault as it is.
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
