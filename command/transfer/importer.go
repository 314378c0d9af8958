package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"marcador/store"
)

// importer collects records of one type and writes them together.
//
//	next record ─▶ check ─▶ take ─▶ pending ─▶ flush ─▶ write ─▶ one transaction
//	                                  ▲ another type, or perWrite records: flush first
//
// The rows of a key stay together, even if pending then has more than perWrite records.
type importer struct {
	store    *store.Store
	progress func(Counts)
	counts   Counts
	prefix   prefix   // of the points without a key that were read
	checker  *checker // nil if the import writes for good

	before struct { // the last row of the ledger when the import began
		seq int64
		at  time.Time
	}
	known int64 // highest seq of a row of this input that the ledger had before the import

	pending      []pending
	pendingBytes int   // bytes of the users in pending
	missing      int64 // rows of the last key that are still to come
}

// pending is a record that waits to be written.
type pending struct {
	record

	line int
}

func newImporter(ctx context.Context, s *store.Store, progress func(Counts)) (i *importer, err error) {
	i = &importer{store: s, progress: progress, prefix: noPrefix}
	i.before.seq, i.before.at, err = s.LastPoints(ctx)
	return i, err
}

// all imports all records. It returns io.EOF if there are none.
func (i *importer) all(ctx context.Context, in reader) error {
	// If this look-up fails, so will the write that follows.
	there := func(kind, id string) bool {
		there, err := i.store.HasBoard(ctx, kind, id)
		return there && err == nil
	}
	any := false
	for {
		p := pending{}
		line, wrong, err := in.next(&p.record)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		any, p.line = true, line
		if wrong = merge(wrong, p.check(line, there)); i.checker != nil {
			if !i.checker.passes(&p, wrong) {
				i.skip(&p)
				continue
			}
		} else if len(wrong) > 0 {
			return wrong[0] // can't happen: the check found no fault
		}
		if err := i.take(ctx, p); err != nil {
			return err
		}
	}
	if !any {
		return io.EOF
	}
	if err := i.complete(); err != nil {
		return err
	}
	return i.flush(ctx)
}

// merge adds more faults to the first ones, but not for a field that already has one. Otherwise a
// value that can't be read would also be reported as missing.
func merge(first, more []*InputError) []*InputError {
	said := len(first)
	for _, fault := range more {
		if !slices.ContainsFunc(first[:said], func(f *InputError) bool { return f.Field == fault.Field }) {
			first = append(first, fault)
		}
	}
	return first
}

// take adds a record to the pending ones. If these are enough, or of another type, it writes them
// first.
func (i *importer) take(ctx context.Context, p pending) error {
	if n := len(i.pending); n > 0 && (i.pending[0].Type != p.Type || (n >= perWrite || i.pendingBytes >= maxPendingBytes) && i.missing == 0) {
		if i.pending[0].Type != p.Type {
			if err := i.complete(); err != nil {
				return err
			}
		}
		if err := i.flush(ctx); err != nil {
			return err
		}
	}
	if p.Type == points {
		switch {
		case p.Key != "":
			if err := i.complete(); err != nil {
				return err
			}
			i.missing = max(p.Rows, 1) - 1
		case i.missing > 0:
			i.missing--
		}
	}
	i.pending = append(i.pending, p)
	if p.Type == user {
		i.pendingBytes += p.size()
	}
	return nil
}

// skip counts a record that is left out as a row of the last key, so that the key is not reported
// as having too few rows.
func (i *importer) skip(p *pending) {
	if i.missing > 0 && (p.unread || p.Type == points && p.Key == "") {
		i.missing--
	}
}

// complete returns an error if rows of the last key are missing.
func (i *importer) complete() error {
	if i.missing == 0 {
		return nil
	}
	for n := len(i.pending) - 1; n >= 0; n-- {
		if p := &i.pending[n]; p.Key != "" {
			i.missing = 0
			return i.checker.collect(&InputError{p.line, "rows", fmt.Sprintf("is %d, but fewer records of points without a key follow; correct it", p.Rows)})
		}
	}
	return nil
}

// flush writes the pending records.
func (i *importer) flush(ctx context.Context) error {
	if len(i.pending) == 0 {
		return nil
	}
	if i.checker != nil {
		if i.pending = i.checker.leaveOut(i.pending); len(i.pending) == 0 {
			i.pendingBytes = 0
			return nil
		}
	}
	err := i.write(ctx)
	if fault, ok := errors.AsType[*InputError](err); ok && i.checker != nil {
		i.checker.faults.add(fault)
		i.checker.noPoints = i.checker.noPoints || i.pending[0].Type == points
		err = nil
	}
	if err != nil {
		return err
	}
	clear(i.pending) // releases their memory
	i.pending, i.pendingBytes = i.pending[:0], 0
	i.progress(i.counts)
	return nil
}

// write writes the pending records and counts them.
func (i *importer) write(ctx context.Context) error {
	var err error
	var count *int64
	switch i.pending[0].Type {
	case user:
		err, count = i.putUsers(ctx), &i.counts.Users
	case friends:
		err, count = i.putFriends(ctx), &i.counts.Friendships
	case limit:
		err, count = i.putLimits(ctx), &i.counts.Limits
	case badge:
		err, count = i.putBadges(ctx), &i.counts.Badges
	case points:
		if i.checker != nil && i.checker.noPoints {
			return i.findUsers(ctx)
		}
		return i.addPoints(ctx) // counts them itself
	}
	if err == nil {
		*count += int64(len(i.pending))
	}
	return err
}

// refused turns a refusal of the store into a fault of the line that caused it. It returns other
// errors as they are.
func refused(err error, lines []int, rename map[string]string) error {
	refusal, ok := errors.AsType[*store.Error](err)
	if !ok {
		return err
	}
	field := refusal.Field
	if name, ok := rename[field]; ok {
		field = name
	}
	return &InputError{lines[refusal.Index], field, refusal.Message}
}

// put writes the pending records as a list. In a rehearsal it collects the refusals and tries again
// without the refused records.
func put[T any](i *importer, of func(*pending) T, rename map[string]string, put func([]T) error) error {
	list, lines := make([]T, len(i.pending)), make([]int, len(i.pending))
	for n := range i.pending {
		list[n], lines[n] = of(&i.pending[n]), i.pending[n].line
	}
	for {
		err := put(list)
		refusal, ok := errors.AsType[*store.Error](err)
		if err = refused(err, lines, rename); !ok || i.checker == nil {
			return err
		}
		if err := i.checker.collect(err); err != nil {
			return err
		}
		n := refusal.Index
		if list, lines = slices.Delete(list, n, n+1), slices.Delete(lines, n, n+1); len(list) == 0 || i.checker.faults.full() {
			return nil
		}
	}
}

func (i *importer) putUsers(ctx context.Context) error {
	return put(i, func(p *pending) store.Patch {
		return store.Patch{ID: p.ID, Patch: p.Patch, Created: timeOf(p.CreatedAt)}
	}, nil, func(patches []store.Patch) error {
		_, err := i.store.PatchProfiles(ctx, patches)
		if refusal, ok := errors.AsType[*store.Error](err); ok {
			i.checker.leaveOutUser(patches[refusal.Index].ID)
		}
		return err
	})
}

func (i *importer) putFriends(ctx context.Context) error {
	return put(i, func(p *pending) store.Pair {
		return store.Pair{ID: p.UserID, Other: p.OtherID, Since: timeOf(p.Since), OneSided: p.OneSided}
	}, map[string]string{"id": "userId", "other": "otherId"}, func(pairs []store.Pair) error {
		return i.store.BefriendAll(ctx, pairs)
	})
}

func (i *importer) putLimits(ctx context.Context) error {
	return put(i, func(p *pending) store.Limit {
		return store.Limit{Board: p.Board, Top: int(p.Top)}
	}, nil, func(limits []store.Limit) error {
		return i.store.PutLimits(ctx, limits)
	})
}

// maxBadges is the most badges of a table.
const maxBadges = 100

func (i *importer) putBadges(ctx context.Context) error {
	badges := make([]store.Badge, len(i.pending))
	for n, p := range i.pending {
		switch {
		case n == 0 && p.MinXP != 0:
			return &InputError{p.line, "minXp", "has to be 0 for the first badge, so that everybody has one"}
		case n > 0 && p.MinXP <= i.pending[n-1].MinXP:
			return &InputError{p.line, "minXp", "has to be higher than the minXp of the previous badge; give the lowest first"}
		case n >= maxBadges:
			return &InputError{p.line, "", fmt.Sprintf("there are more than %d badges; give fewer", maxBadges)}
		}
		badges[n] = store.Badge{MinXP: p.MinXP, Name: p.Name}
	}
	return i.store.PutBadges(ctx, badges)
}
