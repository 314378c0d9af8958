package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

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

// Import reads records from in and writes them to the store, some at a time: where it
// ends with an error, what came before stays. The same input again goes on from there, and
// counts nothing twice: points with a key by that, those without one by what came before
// them in the input. A profile changes what it gives, limits and badges replace what is there.
// What is wrong with the input comes as an *InputError. progress, where it is not nil, is called after each
// transaction.
func Import(ctx context.Context, s *store.Store, in io.Reader, format string, progress func(Counts)) (Counts, error) {
	if progress == nil {
		progress = func(Counts) {}
	}
	i := &importer{store: s, progress: progress, mark: noMark}
	r, err := newReader(in, format)
	if err == nil {
		i.before.seq, i.before.at, err = s.LastPoints(ctx)
	}
	if err == nil {
		err = i.all(ctx, r)
	}
	if errors.Is(err, io.EOF) {
		err = errors.New("there is no record in it; give a file that has some")
	}
	return i.counts, err
}

// importer holds the records of one type that are written next, at most perWrite, and
// the rest of a key's.
type importer struct {
	store    *store.Store
	progress func(Counts)
	counts   Counts
	mark     mark // of the points without a key that have been seen

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

// all imports all records, or returns io.EOF where there is none.
func (i *importer) all(ctx context.Context, in reader) error {
	any := false
	for {
		p := pending{}
		var err error
		p.line, err = in.next(&p.record)
		if errors.Is(err, io.EOF) {
			break
		}
		any = true
		if err == nil {
			err = p.check(p.line)
		}
		if err == nil {
			err = i.take(ctx, p)
		}
		if err != nil {
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

// complete returns an error where rows of a key are missing.
func (i *importer) complete() error {
	if i.missing == 0 {
		return nil
	}
	for n := len(i.pending) - 1; n >= 0; n-- {
		if p := &i.pending[n]; p.Key != "" {
			return &InputError{p.line, "rows", fmt.Sprintf("is %d, but as many records of points without a key do not follow; correct it", p.Rows)}
		}
	}
	return nil
}

// flush writes what waits.
func (i *importer) flush(ctx context.Context) error {
	if len(i.pending) == 0 {
		return nil
	}
	var err error
	var count *int64 // addPoints counts by itself
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
		err = i.addPoints(ctx)
	}
	if err != nil {
		return err
	}
	if count != nil {
		*count += int64(len(i.pending))
	}
	clear(i.pending) // so that nothing of it is kept
	i.pending, i.waiting = i.pending[:0], 0
	i.progress(i.counts)
	return nil
}

// refused words a refusal of the store as one of the input.
func refused(err error, lines func(index int) int, rename map[string]string) error {
	refusal, ok := errors.AsType[*store.Error](err)
	if !ok {
		return err
	}
	field := refusal.Field
	if name, ok := rename[field]; ok {
		field = name
	}
	return &InputError{lines(refusal.Index), field, refusal.Message}
}

func (i *importer) lineOf(index int) int { return i.pending[index].line }

func (i *importer) putUsers(ctx context.Context) error {
	patches := make([]store.Patch, len(i.pending))
	for n, p := range i.pending {
		patches[n] = store.Patch{ID: p.ID, Patch: p.Patch, Created: timeOf(p.CreatedAt)}
	}
	_, err := i.store.PatchProfiles(ctx, patches)
	return refused(err, i.lineOf, nil)
}

func (i *importer) putFriends(ctx context.Context) error {
	pairs := make([]store.Pair, len(i.pending))
	for n, p := range i.pending {
		pairs[n] = store.Pair{ID: p.UserID, Other: p.OtherID, Since: timeOf(p.Since), OneSided: p.OneSided}
	}
	return refused(i.store.BefriendAll(ctx, pairs), i.lineOf, map[string]string{"id": "userId", "other": "otherId"})
}

func (i *importer) putLimits(ctx context.Context) error {
	limits := make([]store.Limit, len(i.pending))
	for n, p := range i.pending {
		limits[n] = store.Limit{Board: p.Board, Top: int(p.Top)}
	}
	return i.store.PutLimits(ctx, limits)
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
