package transfer

import (
	"context"
	"errors"
	"io"

	"marcador/store"
)

// perWrite is how many records are written in one transaction, or a few more. Each writes
// the pages that its rows are in, those of users at random, so that few large ones write
// much less than many small ones; what waits takes some 10 MB. An import goes on where another
// was cut off only if that had the same number. Tests have fewer.
var perWrite = 20_000

// maxWaiting bounds the users that are written in one transaction, but for the last, in
// bytes: they may have long pictures and many groups. Of other records none is beyond some
// kilobytes. Points are not counted, since theirs would change which keys they get. Tests
// have less.
var maxWaiting = 16 << 20

// maxRows is how many rows a key covers at the most.
const maxRows = 1000

// Options says how an import works. The zero value of a field is its default.
type Options struct {
	// Format is how the input looks. Default: what its beginning looks like.
	Format string

	// Folder is where an input that can't be read twice is kept meanwhile, in a file that
	// nobody else can read. Default: that of the system.
	Folder string

	// Progress is called now and then with what was checked, or was written. Default: it
	// is not.
	Progress func(c Counts, written bool)

	// Notice is told, as the rest of a sentence about the input, what the caller should
	// know of how it is read. Default: nobody is told.
	Notice func(string)
}

// Import reads records from in and writes them to the store, some at a time. Before it
// writes the first it reads and checks all: what is wrong comes as an *InputError, or as
// *Faults where it is more than one thing, and nothing was written. Where it ends with
// another error, what came before stays, and the same input again goes on from there.
//
// The same input again counts nothing twice: points with a key are known by that, and
// points without one by what came before them in the input. A profile changes what it
// gives, limits and badges replace what is there.
func Import(ctx context.Context, s *store.Store, in io.Reader, opts Options) (c Counts, err error) {
	if opts.Progress == nil {
		opts.Progress = func(Counts, bool) {}
	}
	if opts.Notice == nil {
		opts.Notice = func(string) {}
	}
	src, err := newSource(in, opts.Folder)
	if err != nil {
		return c, err
	}
	defer func() { err = errors.Join(err, src.close()) }()
	t, err := look(src, opts)
	if err != nil {
		return c, err
	}
	if err := check(ctx, s, t, opts); err != nil {
		return c, err
	}
	r, _, err := t.again()
	if err != nil {
		return c, err
	}
	i, err := newImporter(ctx, s, func(c Counts) { opts.Progress(c, true) })
	if err == nil {
		err = i.all(ctx, r)
	}
	return i.counts, err
}
