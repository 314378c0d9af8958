package store

import (
	"context"
	"errors"
	"fmt"
)

// errRehearsed rolls back the transaction of a rehearsal.
var errRehearsed = errors.New("rehearsed")

// rehearsing is the key of a rehearsal's transaction in a context.
type rehearsing struct{}

// Rehearse calls fn with a context. Writes with that context are checked and refused as usual, and
// later ones see them, but when fn returns they are all rolled back. So an import learns what would
// be refused before it writes anything.
//
// fn runs on the writer's goroutine: all other writes wait for it, and it must use its context for
// every write. Until it returns, its writes take room on the disk.
func (s *Store) Rehearse(ctx context.Context, fn func(context.Context) error) error {
	var outcome error
	ran := false
	err := s.do(ctx, maxBatch, func(ctx context.Context, t *tx) error {
		if !ran { // the writer may run a transaction again
			ran = true
			outcome = t.rehearse(ctx, fn)
		}
		return errRehearsed
	})
	if errors.Is(err, errRehearsed) {
		return outcome
	}
	return err
}

// rehearse calls fn, and removes from memory what fn wrote.
func (t *tx) rehearse(ctx context.Context, fn func(context.Context) error) error {
	last := t.lastNumber
	t.known.Purge()
	defer func() {
		t.known.Purge()
		t.writer.lastNumber = last // nobody has learned the numbers that were given
	}()
	return fn(context.WithValue(ctx, rehearsing{}, t))
}

// try runs one write of a rehearsal. The transaction goes on after a refusal, and ends if the
// database fails. Later writes read what it did from the database, so memory does not grow with a
// rehearsal.
func (t *tx) try(ctx context.Context, fn func(context.Context, *tx) error) error {
	err := fn(ctx, t)
	for id, of := range t.written {
		t.known.Add(id, of)
	}
	clear(t.written)
	clear(t.keyed)
	clear(t.changes)
	t.changes = t.changes[:0]
	if _, refused := errors.AsType[*Error](err); err != nil && !refused {
		return fmt.Errorf("%w: %w", ErrUnavailable, faultOf(err))
	}
	return err
}
