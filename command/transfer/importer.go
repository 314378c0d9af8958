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

// importer holds the records of one type that are written next, at most perWrite, and
// the rest of a key's.
type importer struct {
	store    *store.Store
	progress func(Counts)
	counts   Counts
	mark     mark      // of the points without a key that have been seen
	checking *checking // nil where it writes for good

	before struct { // the ledger's last row when the import began
		seq int64
		at  time.Time
	}
	known int64 // the highest seq, of those that were there, of a row of this input

	pending []pending
	waiting int   // bytes of users in pending
	missing int64 // how many of the key's rows are still to come
}

type pending struct {
	record

	line int
}

func newImporter(ctx context.Context, s *store.Store, progress func(Counts)) (i *importer, err error) {
	i = &importer{store: s, progress: progress, mark: noMark}
	i.before.seq, i.before.at, err = s.LastPoints(ctx)
	return i, err
}

// all imports all records, or returns io.EOF where there is none.
func (i *importer) all(ctx context.Context, in reader) error {
	// Where this fails, so does what comes of it.
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
		if wrong = merge(wrong, p.check(line, there)); i.checking != nil {
			if !i.checking.passes(&p, wrong) {
				i.skip(&p)
				continue
			}
		} else if len(wrong) > 0 {
			return wrong[0] // it was checked, so there is none
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

// merge adds the faults to the first ones, but for fields that these are about: a value that
// could not be read is missing, too.
func merge(first, more []*InputError) []*InputError {
	said := len(first)
	for _, fault := range more {
		if !slices.ContainsFunc(first[:said], func(f *InputError) bool { return f.Field == fault.Field }) {
			first = append(first, fault)
		}
	}
	return first
}

// take adds the record to those that wait, after it has written these where they are of
// another type or enough.
func (i *importer) take(ctx context.Context, p pending) error {
	if n := len(i.pending); n > 0 && (i.pending[0].Type != p.Type || (n >= perWrite || i.waiting >= maxWaiting) && i.missing == 0) {
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
		i.waiting += p.size()
	}
	return nil
}

// skip counts a record that is left out among the rows of a key, so that nobody is told
// that the key has too few.
func (i *importer) skip(p *pending) {
	if i.missing > 0 && (p.unread || p.Type == points && p.Key == "") {
		i.missing--
	}
}

// complete returns an error where rows of a key are missing.
func (i *importer) complete() error {
	if i.missing == 0 {
		return nil
	}
	for n := len(i.pending) - 1; n >= 0; n-- {
		if p := &i.pending[n]; p.Key != "" {
			i.missing = 0
			return i.checking.note(&InputError{p.line, "rows", fmt.Sprintf("is %d, but as many records of points without a key do not follow; correct it", p.Rows)})
		}
	}
	return nil
}

// flush writes what waits.
func (i *importer) flush(ctx context.Context) error {
	if len(i.pending) == 0 {
		return nil
	}
	if i.checking != nil {
		if i.pending = i.checking.leaveOut(i.pending); len(i.pending) == 0 {
			i.waiting = 0
			return nil
		}
	}
	err := i.write(ctx)
	if fault, ok := errors.AsType[*InputError](err); ok && i.checking != nil {
		i.checking.faults.add(fault)
		i.checking.blind = i.checking.blind || i.pending[0].Type == points
		err = nil
	}
	if err != nil {
		return err
	}
	clear(i.pending) // so that nothing of it is kept
	i.pending, i.waiting = i.pending[:0], 0
	i.progress(i.counts)
	return nil
}

// write writes what waits and counts it.
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
		if i.checking != nil && i.checking.blind {
			return i.findUsers(ctx)
		}
		return i.addPoints(ctx) // which counts by itself
	}
	if err == nil {
		*count += int64(len(i.pending))
	}
	return err
}

// refused words a refusal of the store as one of the input.
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

// put puts a list, made of the records that wait. In a check it goes on without those that
// are refused.
func put[T any](i *importer, of func(*pending) T, rename map[string]string, put func([]T) error) error {
	list, lines := make([]T, len(i.pending)), make([]int, len(i.pending))
	for n := range i.pending {
		list[n], lines[n] = of(&i.pending[n]), i.pending[n].line
	}
	for {
		err := put(list)
		refusal, ok := errors.AsType[*store.Error](err)
		if err = refused(err, lines, rename); !ok || i.checking == nil {
			return err
		}
		if err := i.checking.note(err); err != nil {
			return err
		}
		n := refusal.Index
		if list, lines = slices.Delete(list, n, n+1), slices.Delete(lines, n, n+1); len(list) == 0 || i.checking.faults.full() {
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
			i.checking.doubt(patches[refusal.Index].ID)
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

// maxBadges bounds the table of badges.
const maxBadges = 100

func (i *importer) putBadges(ctx context.Context) error {
	badges := make([]store.Badge, len(i.pending))
	for n, p := range i.pending {
		switch {
		case n == 0 && p.MinXP != 0:
			return &InputError{p.line, "minXp", "has to be 0 for the first badge, so that everybody has one"}
		case n > 0 && p.MinXP <= i.pending[n-1].MinXP:
			return &InputError{p.line, "minXp", "has to be higher than that of the badge before; give the lowest first"}
		case n >= maxBadges:
			return &InputError{p.line, "", fmt.Sprintf("there are more than %d badges; give fewer", maxBadges)}
		}
		badges[n] = store.Badge{MinXP: p.MinXP, Name: p.Name}
	}
	return i.store.PutBadges(ctx, badges)
}
