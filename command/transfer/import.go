package transfer

import (
	"context"
	"errors"
	"io"

	"marcador/store"
)

// perWrite is how many records one transaction writes, or slightly more. A transaction writes every
// database page that it touches, and users touch pages at random, so few large transactions write
// much less than many small ones. The pending records take about 10 MB. An import can go on where
// an earlier one ended only if the earlier one had the same number. Tests set a smaller one.
var perWrite = 20_000

// maxPendingBytes is how many bytes of users wait for a transaction before it is written. Users may
// have large avatars and many groups; other records have a few kilobytes at most. Points don't
// count: dividing them by size would change the keys that they get. Tests set a smaller number.
var maxPendingBytes = 16 << 20

// maxRows is how many rows a key covers at most.
const maxRows = 1000

// Options are the options of an import. The zero value of a field is its default.
type Options struct {
	// Format is the format of the input. The default is a guess from its beginning.
	Format string

	// Folder is where an input that can't be read twice is copied, to a file that nobody else can
	// read. The default is the system's folder for temporary files.
	Folder string

	// Progress is called from time to time with the number of records that were checked or, if
	// written is true, written. It may be nil.
	Progress func(c Counts, written bool)

	// Notice is called with remarks on how the input is read, as the rest of a sentence whose
	// subject is the input. It may be nil.
	Notice func(string)
}

// Import reads records and writes them to the store. First it reads and checks the whole input. If
// anything is wrong, it returns an *InputError, or *Faults for more than one fault, and writes
// nothing. After any other error the records that were written so far stay, and importing the same
// input again goes on from there.
//
// Importing an input again counts nothing twice. Points with a key are known by the key. Points
// without a key are known by all points before them in the input. A profile changes the fields that
// it gives; limits and badges replace the previous ones.
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
