package transfer

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"slices"

	"marcador/store"
)

// checker collects the faults of an input while the input is rehearsed. A nil checker collects
// nothing: then the import writes for good.
//
// A record with a fault is left out of the rehearsal. The fields below say which later records
// depend on one that was left out. These can't be checked, so they are skipped. Otherwise one
// mistake would be reported several times.
type checker struct {
	faults Faults

	noPoints   bool                // points were left out, so later totals and times are not known
	noUser     map[string]struct{} // users whose records were left out; at most maxFaults
	unreadable bool                // a record was left out that may have been any user's
	noBadge    bool                // a badge was left out

	// users has the line of each user, by a hash of the id, to find a user with two rows. It is nil
	// for JSON Lines, where a later line may change a user again.
	users map[uint64]int
	seed  maphash.Seed
}

// check reads the whole input and writes it to the database in a transaction that is rolled back.
// It returns the faults that were found.
func check(ctx context.Context, s *store.Store, t *text, opts Options) error {
	r, wrong, err := t.again()
	if err != nil {
		return noRecord(err)
	}
	c := &checker{noUser: map[string]struct{}{}, seed: maphash.MakeSeed()}
	if t.format == CSV {
		c.users = map[uint64]int{}
	}
	if c.faults.add(wrong...); len(wrong) > 0 {
		return c.faults.err() // without the columns no row can be read
	}
	err = s.Rehearse(ctx, func(ctx context.Context) error {
		i, err := newImporter(ctx, s, func(c Counts) { opts.Progress(c, false) })
		if err != nil {
			return err
		}
		i.checker = c
		return i.all(ctx, r)
	})
	if end, ok := errors.AsType[stop](err); ok {
		c.faults.add(end.fault)
		err = nil
	}
	if err != nil {
		return noRecord(err)
	}
	return c.faults.err()
}

// passes collects the faults of a record, and reports whether to rehearse the record.
func (c *checker) passes(p *pending, wrong []*InputError) bool {
	if len(wrong) == 0 && p.Type == user && c.users != nil {
		hash := maphash.String(c.seed, p.ID)
		if line, twice := c.users[hash]; twice {
			c.faults.add(&InputError{p.line, "id", fmt.Sprintf("%q is on line %d already; keep one of the two", p.ID, line)})
			return false
		}
		c.users[hash] = p.line
	}
	if len(wrong) > 0 {
		c.faults.add(wrong...)
		switch p.Type {
		case user:
			c.leaveOutUser(p.ID)
		case points:
			c.noPoints = true
		case badge:
			c.noBadge = true
		case friends, limit:
		default:
			c.noPoints, c.unreadable, c.noBadge = true, true, true
		}
		return false
	}
	switch p.Type {
	case badge:
		return !c.faults.full() && !c.noBadge
	case friends, points:
		return !c.faults.full() && !c.unreadable
	}
	return !c.faults.full()
}

// leaveOut removes records that name a user whose own record was left out.
func (c *checker) leaveOut(list []pending) []pending {
	kind := list[0].Type
	left := slices.DeleteFunc(list, func(p pending) bool {
		_, one := c.noUser[p.UserID]
		_, other := c.noUser[p.OtherID]
		return kind == points && one || kind == friends && (one || other)
	})
	if len(left) < len(list) && kind == points {
		c.noPoints = true
	}
	return left
}

// collect adds an error that is a fault of the input to the faults, and returns nil. It returns
// other errors as they are.
func (c *checker) collect(err error) error {
	fault, ok := err.(*InputError) //nolint:errorlint // nobody wraps them
	if c == nil || !ok {
		return err
	}
	c.faults.add(fault)
	return nil
}

// leaveOutUser remembers that the user's record was left out. A record without an id is nobody's.
func (c *checker) leaveOutUser(id string) {
	if c != nil && id != "" && len(c.noUser) < maxFaults {
		c.noUser[id] = struct{}{}
	}
}

// findUsers checks only that the users of the pending points exist. It stands in for a rehearsal
// when earlier points were left out.
func (i *importer) findUsers(ctx context.Context) error {
	ids := make([]string, len(i.pending))
	for n := range i.pending {
		ids[n] = i.pending[n].UserID
	}
	unknown, err := i.store.Unknown(ctx, ids)
	for _, n := range unknown {
		i.checker.faults.add(&InputError{i.pending[n].line, "userId", fmt.Sprintf("there is no user %q; create the profile first", ids[n])})
	}
	return err
}

// noRecord turns io.EOF, from an input without records, into a message.
func noRecord(err error) error {
	if errors.Is(err, io.EOF) {
		return errors.New("there is no record in it; give a file that has records")
	}
	return err
}
