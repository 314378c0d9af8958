package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"time"
)

// Update is a change of one user's points and coins that a caller asks for.
type Update struct {
	UserID  string
	XP      int64  // points to add; negative to take away
	MLCoins int64  // coins to add; negative to take away
	Reason  string // free text, or empty

	// At is when the points were earned; the zero time is now. It must not be earlier than the
	// ledger's last row, or in a closed period. It is not part of a key's digest.
	At time.Time `json:"-"`
}

// Write is one or more updates under one idempotency key.
type Write struct {
	// Caller is the user whom the key belongs to. Each caller has keys of their own. A key with
	// an empty Caller, from before keys had callers, matches every caller's.
	Caller  string
	Key     string // empty for none
	Updates []Update
}

// keyName identifies a key.
type keyName struct{ caller, key string }

// Points is what an Update did.
type Points struct {
	Seq          int64
	User         uint32
	UserID       string
	XP, MLCoins  int64 // added
	XPAfter      int64 // the totals after it
	MLCoinsAfter int64
	Reached      int64 // seq of the last change of the user's points; 0 in a repetition

	// Scores are the user's points in the present day, week and month, by Period. Zero in a
	// repetition.
	Scores [Ending]Score

	// OldRank and NewRank are set by Options.Committed. The store saves them for repetitions of
	// the same key. 0 means no rank.
	OldRank, NewRank int
}

// Score is what a user has gained in a period.
type Score struct {
	XP    int64 // only valid if There is set
	There bool  // whether the user's points changed in the period
}

// AddPoints applies the updates of the writes in order, or none of them after an error. It returns
// what each update did, after the COMMIT and with the data on the disk. A write whose key was used
// before changes nothing; for its updates the result has what they did the first time.
//
// A refusal is an *Error; its Index counts the updates of all writes. The result must not be
// changed: repetitions that are under way at the same time share it.
func (s *Store) AddPoints(ctx context.Context, writes []Write) ([]*Points, error) {
	var result []*Points
	updates := 0
	for _, w := range writes {
		updates += len(w.Updates)
	}
	err := s.do(ctx, updates, func(ctx context.Context, t *tx) (err error) {
		result, err = t.addPoints(ctx, writes)
		return err
	})
	if err != nil {
		return nil, err
	}
	return result, nil
}

func (t *tx) addPoints(ctx context.Context, writes []Write) ([]*Points, error) {
	a := addition{tx: t, users: map[string]*totalsRow{}, keyed: map[keyName]keyed{}}
	// Refuse before anything is written, so that nothing has to be undone.
	for _, w := range writes {
		if err := a.plan(ctx, w); err != nil {
			return nil, err
		}
	}
	if err := a.refused.err(); err != nil {
		return nil, err
	}
	for i, p := range a.todo {
		if err := t.writePoints(ctx, p, a.reasons[i], a.times[i], a.users[p.UserID]); err != nil {
			return nil, err
		}
	}
	maps.Copy(t.written, a.users)
	for name, k := range a.keyed {
		if _, err := t.stmt.addKey.ExecContext(ctx, k.points[0].Seq, len(k.points), name.caller, name.key, k.digest[:]); err != nil {
			return nil, fmt.Errorf("add key: %w", err)
		}
		if !IsImportKey(name.key) {
			t.keyed[name] = k
		}
	}
	return a.result, nil
}

// addition is one call of AddPoints within a transaction.
type addition struct {
	*tx
	result   []*Points
	todo     []*Points // the part of result that is not a repetition
	reasons  []string  // Update.Reason for each of todo
	times    []int64   // the row's time for each of todo
	earliest earliest
	users    map[string]*totalsRow
	keyed    map[keyName]keyed
	refused  refusals
}

// plan computes what w will do, or adds to refused. It only reads.
func (a *addition) plan(ctx context.Context, w Write) error {
	first := len(a.result)
	if len(w.Updates) == 0 {
		return refuse(NothingToChange, first, "updates", "there is no update; give one or more")
	}
	var digest digest
	if w.Key != "" {
		digest = digestOf(w.Updates)
		before, err := a.repeated(ctx, w, first, digest)
		if _, refused := errors.AsType[*Error](err); refused {
			before = make([]*Points, len(w.Updates)) // so that the next updates keep their indexes
		}
		if err := a.refused.take(err); err != nil {
			return err
		}
		if before != nil {
			a.result = append(a.result, before...)
			return nil
		}
	}
	for _, u := range w.Updates {
		at, err := a.checkTime(ctx, &u, len(a.result))
		var p *Points
		if err == nil {
			p, err = a.planUpdate(ctx, u)
		}
		if err := a.refused.take(err); err != nil {
			return err
		}
		a.result = append(a.result, p)
		a.todo = append(a.todo, p)
		a.reasons = append(a.reasons, u.Reason)
		a.times = append(a.times, at)
	}
	if w.Key != "" && len(a.refused) == 0 {
		a.callerless = a.callerless || w.Caller == "" && !IsImportKey(w.Key)
		a.keyed[keyName{w.Caller, w.Key}] = keyed{digest, a.result[first:len(a.result):len(a.result)]}
	}
	return nil
}

func (a *addition) planUpdate(ctx context.Context, u Update) (*Points, error) {
	index := len(a.result)
	if u.XP == 0 && u.MLCoins == 0 {
		return nil, refuse(NothingToChange, index, "xp", "xp and mlCoins are both 0; give the points to add or to take away")
	}
	of, ok := a.users[u.UserID]
	if !ok {
		var err error
		if of, err = a.totals(ctx, u.UserID); err != nil {
			return nil, err
		}
		a.users[u.UserID] = of
	}
	if of == nil {
		return nil, refuse(UserNotFound, index, "userId", "there is no user %q; create the profile first", u.UserID)
	}
	xp, err := newTotal(of.xp, u.XP, index, "xp")
	if err != nil {
		return nil, err
	}
	mlCoins, err := newTotal(of.mlCoins, u.MLCoins, index, "mlCoins")
	if err != nil {
		return nil, err
	}
	of.xp, of.mlCoins = xp, mlCoins
	return &Points{
		User: of.user, UserID: u.UserID, XP: u.XP, MLCoins: u.MLCoins, XPAfter: xp, MLCoinsAfter: mlCoins,
	}, nil
}

func newTotal(total, add int64, index int, field string) (int64, error) {
	switch {
	case add < 0 && total+add < 0:
		return 0, refuse(NegativeTotal, index, field, "%d would take the total of %d below 0; take at most %d", add, total, total)
	case add > MaxTotal-total:
		return 0, refuse(TotalTooLarge, index, field, "%d would take the total of %d above %d; add less", add, total, int64(MaxTotal))
	}
	return total + add, nil
}

// writePoints adds the ledger's row and updates the totals. It takes the new totals from p, since
// of.xp and of.mlCoins may already include later rows of the same batch.
func (t *tx) writePoints(ctx context.Context, p *Points, reason string, at int64, of *totalsRow) error {
	p.Seq = t.add(Change{Points: p})
	_, err := t.stmt.addRow.ExecContext(ctx, p.Seq, p.User, p.XP, p.MLCoins, p.XPAfter, p.MLCoinsAfter, reason, at)
	if err != nil {
		return fmt.Errorf("add ledger row: %w", err)
	}
	starts := t.starts(at)
	for i := range of.periods {
		period := &of.periods[i]
		if p.XP != 0 {
			period.add(starts[i], p.XP, of.reached)
		}
		p.Scores[i] = Score{period.XP, period.Start >= starts[i]}
	}
	if p.XP != 0 {
		of.reached = p.Seq
	}
	p.Reached = of.reached
	day, week, month := &of.periods[Daily], &of.periods[Weekly], &of.periods[Monthly]
	_, err = t.stmt.saveTotals.ExecContext(ctx, p.XPAfter, p.MLCoinsAfter, of.reached,
		day.Start, day.XP, day.Reached, day.PriorStart, day.PriorXP,
		week.Start, week.XP, week.Reached, week.PriorStart, week.PriorXP,
		month.Start, month.XP, month.Reached, month.PriorStart, month.PriorXP, p.User)
	if err != nil {
		return fmt.Errorf("save totals: %w", err)
	}
	return nil
}

// starts returns when the day, week and month that a time lies in began. It computes them again
// when the day changes.
func (t *tx) starts(at int64) [Ending]int64 {
	if at < t.started[Daily] || at >= t.tomorrow {
		now := time.UnixMilli(at).In(t.s.opts.Location)
		for i := range t.started {
			t.started[i] = Period(i).Start(now).UnixMilli()
		}
		t.tomorrow = Daily.Next(now).UnixMilli()
	}
	return t.started
}

// totalsRow is a row of table totals.
type totalsRow struct {
	user        uint32
	xp, mlCoins int64
	reached     int64
	periods     [Ending]PeriodTotals
}

// PeriodTotals are a user's points in the last two periods of a kind in which the user's points
// changed. Starts are in Unix milliseconds.
type PeriodTotals struct {
	Start      int64
	XP         int64 // points since Start
	Reached    int64 // seq of the last change of the user's points before Start
	PriorStart int64 // 0 for none
	PriorXP    int64 // points in the period that began at PriorStart
}

// add adds points in the period that began at start. reached is the seq of the change before them.
func (p *PeriodTotals) add(start, xp, reached int64) {
	if start > p.Start {
		*p = PeriodTotals{Start: start, Reached: reached, PriorStart: p.Start, PriorXP: p.XP}
	}
	p.XP += xp
}

// totals returns a copy of the user's totals, which the caller may change, or nil if there is no
// such user.
func (t *tx) totals(ctx context.Context, userID string) (*totalsRow, error) {
	if of, ok := t.written[userID]; ok {
		mine := *of
		return &mine, nil
	}
	if of, ok := t.known.Get(userID); ok {
		mine := *of
		return &mine, nil
	}
	return t.readTotals(ctx, userID)
}

// forget drops a user's totals from memory.
func (t *tx) forget(userID string) {
	delete(t.written, userID)
	t.known.Remove(userID)
}

func (t *tx) readTotals(ctx context.Context, userID string) (*totalsRow, error) {
	var of totalsRow
	day, week, month := &of.periods[Daily], &of.periods[Weekly], &of.periods[Monthly]
	err := t.stmt.totals.QueryRowContext(ctx, userID).Scan(&of.user, &of.xp, &of.mlCoins, &of.reached,
		&day.Start, &day.XP, &day.Reached, &day.PriorStart, &day.PriorXP,
		&week.Start, &week.XP, &week.Reached, &week.PriorStart, &week.PriorXP,
		&month.Start, &month.XP, &month.Reached, &month.PriorStart, &month.PriorXP)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read totals: %w", err)
	}
	return &of, nil
}
