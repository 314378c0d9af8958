package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
)

type digest [sha256.Size]byte

// keyed is a write that had an idempotency key.
type keyed struct {
	digest digest
	points []*Points
}

// digestOf returns a digest of the updates. It does not depend on how their JSON was written.
func digestOf(updates []Update) digest {
	b, err := json.Marshal(updates)
	if err != nil {
		panic(err) // numbers and strings always have a JSON form
	}
	return sha256.Sum256(b)
}

// repeated returns what w did the first time, or nil if its key is new. It looks for the key in
// this call, in this transaction and in the database: first for the caller's own key, then for one
// without a caller.
func (a *addition) repeated(ctx context.Context, w Write, index int, d digest) ([]*Points, error) {
	k, ok := a.recentKey(keyName{w.Caller, w.Key})
	if !ok {
		var err error
		if k, ok, err = a.storedKey(ctx, w.Caller, w.Key); err != nil {
			return nil, err
		}
	}
	if !ok && w.Caller != "" {
		var err error
		if k, ok, err = a.callerlessKey(ctx, w.Key); err != nil {
			return nil, err
		}
	}
	if !ok {
		return nil, nil
	}
	if len(k.points) == 0 {
		return nil, refuse(UserNotFound, index, "key", "the write of the idempotency key %q had a user who was erased since, so it can't be repeated", w.Key)
	}
	if k.digest != d {
		return nil, refuse(KeyReused, index, "key", "the idempotency key %q was used for another write; use a new key", w.Key)
	}
	for i, p := range k.points {
		p.UserID = w.Updates[i].UserID // the digests are equal, so the users are the same
	}
	return k.points, nil
}

// recentKey finds a key of this call or of this transaction.
func (a *addition) recentKey(name keyName) (k keyed, ok bool) {
	if k, ok = a.keyed[name]; !ok {
		k, ok = a.tx.keyed[name]
	}
	return k, ok
}

// callerlessKey finds a key without a caller.
func (a *addition) callerlessKey(ctx context.Context, key string) (k keyed, ok bool, err error) {
	if !a.callerless {
		return k, false, nil
	}
	if k, ok = a.recentKey(keyName{"", key}); ok {
		return k, true, nil
	}
	return a.storedKey(ctx, "", key)
}

// findCallerless finds out whether there are keys without a caller, keys of imports aside: no other
// write can have such a key.
func (w *writer) findCallerless(ctx context.Context) error {
	err := w.conn.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM keys WHERE caller = '' AND key >= ' ')`).Scan(&w.callerless)
	if err != nil {
		return fmt.Errorf("look for keys without a caller: %w", err)
	}
	return nil
}

// storedKey reads a key and what its write did from the database. If a user of the write was erased
// since, it has no points.
func (t *tx) storedKey(ctx context.Context, caller, key string) (k keyed, ok bool, err error) {
	var first, count int64
	var sum []byte
	err = t.stmt.key.QueryRowContext(ctx, caller, key).Scan(&first, &count, &sum)
	if errors.Is(err, sql.ErrNoRows) {
		return k, false, nil
	}
	if err != nil {
		return k, false, fmt.Errorf("read key: %w", err)
	}
	copy(k.digest[:], sum)
	rows, err := t.stmt.keyedRows.QueryContext(ctx, first, first+count)
	if err != nil {
		return k, false, fmt.Errorf("read keyed rows: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		p := new(Points)
		if err := rows.Scan(&p.Seq, &p.User, &p.XP, &p.MLCoins, &p.XPAfter, &p.MLCoinsAfter, &p.OldRank, &p.NewRank); err != nil {
			return k, false, fmt.Errorf("read keyed rows: %w", err)
		}
		k.points = append(k.points, p)
	}
	if int64(len(k.points)) < count {
		k.points = nil
	}
	return k, true, rows.Err()
}

// UnansweredRow is a ledger row of the last transaction before a crash.
type UnansweredRow struct {
	*Points

	ReachedBefore int64 // the user's Reached before the row
	Keyed         bool  // whether its write had a key, so that a repetition needs the ranks
}

// Unanswered returns the ledger rows, oldest first, for which no ranks are stored because the
// process died before the next transaction: see Answer.
func (s *Store) Unanswered(ctx context.Context) (rows []UnansweredRow, err error) {
	found, err := s.read.QueryContext(ctx, `
		SELECT l.seq, l.user, l.xp, l.xp_after,
		       coalesce((SELECT max(seq) FROM ledger WHERE user = l.user AND seq < l.seq AND xp <> 0), 0),
		       -- Because of the lower bound only the last transaction's keys are read.
		       EXISTS (SELECT 1 FROM keys k
		               WHERE k.seq > (SELECT answered FROM state) AND k.seq <= l.seq AND l.seq < k.seq + k.count)
		FROM ledger l WHERE l.seq > (SELECT answered FROM state)
		ORDER BY l.seq`)
	if err != nil {
		return nil, fmt.Errorf("read unanswered rows: %w", err)
	}
	defer func() { err = errors.Join(err, found.Close()) }()
	for found.Next() {
		r := UnansweredRow{Points: new(Points)}
		if err := found.Scan(&r.Seq, &r.User, &r.XP, &r.XPAfter, &r.ReachedBefore, &r.Keyed); err != nil {
			return nil, fmt.Errorf("read unanswered rows: %w", err)
		}
		rows = append(rows, r)
	}
	return rows, found.Err()
}

// Answer stores the ranks of rows with a key that Unanswered returned, so that repetitions of their
// writes are answered with them.
func (s *Store) Answer(ctx context.Context, points []*Points) error {
	return s.do(ctx, 1, func(ctx context.Context, t *tx) error {
		return t.addAnswers(ctx, points)
	})
}

func (w *writer) addAnswers(ctx context.Context, points []*Points) error {
	for _, p := range points {
		if _, err := w.stmt.addAnswer.ExecContext(ctx, p.Seq, p.OldRank, p.NewRank); err != nil {
			return fmt.Errorf("save answers: %w", err)
		}
	}
	return nil
}
