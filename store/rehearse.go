package store

import (
	"context"
	"errors"
	"fmt"
)

// errRehearsed undoes the transaction of a rehearsal.
var errRehearsed = errors.New("rehearsed")

// rehearsing is the key under which a context has the transaction of a rehearsal.
type rehearsing struct{}

// Rehearse calls fn with a context. Writes to this store with that context are checked,
// refused and seen by later ones as ever, but all of them are undone when fn returns. So an
// import finds out what would be refused before it writes anything. fn runs on the writer's
// goroutine and keeps all other writes waiting; it must write with its context alone. What
// it writes takes room on the disk until it returns.
func (s *Store) Rehearse(ctx context.Context, fn func(context.Context) error) error {
	var outcome error
	ran := false
	err := s.do(ctx, maxBatch, func(ctx context.Context, t *tx) error {
		if !ran { // the writer may repeat a transaction
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

// rehearse calls fn, and lets nothing in memory remember what it wrote.
func (t *tx) rehearse(ctx context.Context, fn func(context.Context) error) error {
	last := t.lastNumber
	t.known.Purge()
	defer func() {
		t.known.Purge()
		t.writer.lastNumber = last // nobody was told the numbers of users that were given
	}()
	return fn(context.WithValue(ctx, rehearsing{}, t))
}

// try is one write of a rehearsal. The transaction goes on whatever comes of it, unless the
// database fails. What the write did is read from the database when it is needed again, so
// that memory does not grow with the rehearsal.
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
