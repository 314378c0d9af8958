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

// checking is what the check of an input has found so far. Of nil, notes and doubts do
// nothing: nothing is being checked.
type checking struct {
	faults Faults

	// Records with faults are left out, and what hangs on them can't be judged: points below
	// zero, times, and what was imported before, behind points that are left out; whether
	// users are there who have a record that is left out, or any user where it is not known
	// what that record was.
	blind    bool
	doubtful map[string]struct{} // a fault each, so no more than maxFaults
	lost     bool
	badges   bool // a record of a badge was left out

	// In CSV a user has one row. The hashes of ids, and their lines; nil elsewhere, since
	// lines of JSON may change a user again.
	users map[uint64]int
	seed  maphash.Seed
}

// check reads all of the input, and tries in the database all that it says.
func check(ctx context.Context, s *store.Store, t *text, opts Options) error {
	r, wrong, err := t.again()
	if err != nil {
		return noRecord(err)
	}
	c := &checking{doubtful: map[string]struct{}{}, seed: maphash.MakeSeed()}
	if t.format == CSV {
		c.users = map[uint64]int{}
	}
	if c.faults.add(wrong...); len(wrong) > 0 {
		return c.faults.err() // of the columns, without which nothing can be said of the rest
	}
	err = s.Rehearse(ctx, func(ctx context.Context) error {
		i, err := newImporter(ctx, s, func(c Counts) { opts.Progress(c, false) })
		if err != nil {
			return err
		}
		i.checking = c
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

// passes notes what is wrong with a record, and reports whether it is to be tried in the
// database.
func (c *checking) passes(p *pending, wrong []*InputError) bool {
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
			c.doubt(p.ID)
		case points:
			c.blind = true
		case badge:
			c.badges = true
		case friends, limit:
		default:
			c.blind, c.lost, c.badges = true, true, true
		}
		return false
	}
	return !c.faults.full() && (p.Type != badge || !c.badges) && (p.Type != friends && p.Type != points || !c.lost)
}

// leaveOut returns the records that wait without those of users who may not be there.
func (c *checking) leaveOut(list []pending) []pending {
	kind := list[0].Type
	left := slices.DeleteFunc(list, func(p pending) bool {
		_, doubtful := c.doubtful[p.UserID]
		_, other := c.doubtful[p.OtherID]
		return kind == points && doubtful || kind == friends && (doubtful || other)
	})
	if len(left) < len(list) && kind == points {
		c.blind = true
	}
	return left
}

// note keeps an error that is a fault of the input, and returns nil for it.
func (c *checking) note(err error) error {
	fault, ok := err.(*InputError) //nolint:errorlint // none is wrapped
	if c == nil || !ok {
		return err
	}
	c.faults.add(fault)
	return nil
}

// doubt notes that it is not known whether a user is there. A record without an id leaves no
// user in doubt.
func (c *checking) doubt(id string) {
	if c != nil && id != "" && len(c.doubtful) < maxFaults {
		c.doubtful[id] = struct{}{}
	}
}

// findUsers looks for the users of the points that wait, of which no more can be said.
func (i *importer) findUsers(ctx context.Context) error {
	ids := make([]string, len(i.pending))
	for n := range i.pending {
		ids[n] = i.pending[n].UserID
	}
	unknown, err := i.store.Unknown(ctx, ids)
	for _, n := range unknown {
		i.checking.faults.add(&InputError{i.pending[n].line, "userId", fmt.Sprintf("there is no user %q; create the profile first", ids[n])})
	}
	return err
}

// noRecord words the end of an input that has no record.
func noRecord(err error) error {
	if errors.Is(err, io.EOF) {
		return errors.New("there is no record in it; give a file that has some")
	}
	return err
}
