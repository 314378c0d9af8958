package verify

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// damage asks SQLite whether the file is sound.
func (v *verification) damage(ctx context.Context) (Difference, error) {
	var says string
	if _, err := v.first(ctx, `PRAGMA integrity_check(1)`, nil, &says); err != nil {
		return "", err
	}
	if says == "ok" {
		return "", nil
	}
	return Difference("the file is damaged: SQLite's integrity check says: " + says), nil
}

// dangling looks for a row that refers to a row which does not exist.
func (v *verification) dangling(ctx context.Context) (Difference, error) {
	var table, parent string
	var row sql.NullInt64
	found, err := v.first(ctx, `SELECT "table", rowid, parent FROM pragma_foreign_key_check LIMIT 1`, nil, &table, &row, &parent)
	if !found {
		return "", err
	}
	which := "a row"
	if row.Valid {
		which = fmt.Sprintf("row %d", row.Int64)
	}
	return Difference(fmt.Sprintf("%s of %s refers to a row of %s that does not exist", which, table, parent)), nil
}

// disorder looks for a row of the ledger that is older than the row before it.
func (v *verification) disorder(ctx context.Context) (Difference, error) {
	var seq, at, before int64
	found, err := v.first(ctx, `
		SELECT seq, at, before
		FROM (SELECT seq, at, lag(at) OVER (ORDER BY seq) AS before FROM ledger)
		WHERE at < before LIMIT 1`, nil, &seq, &at, &before)
	if !found {
		return "", err
	}
	return Difference(fmt.Sprintf("ledger.at of row %d is %s; the row before it has %s, which is later", seq, v.clock(at), v.clock(before))), nil
}

// brokenChain looks for a row whose totals are not the totals of the user's previous row plus its
// own points and coins.
func (v *verification) brokenChain(ctx context.Context) (Difference, error) {
	var id, column string
	var seq, before, add, is int64
	found, err := v.first(ctx, `
		SELECT u.id, l.seq, iif(xp_wrong, 'xp_after', 'ml_coins_after'),
		       iif(xp_wrong, xp_before, ml_coins_before),
		       iif(xp_wrong, xp, ml_coins),
		       iif(xp_wrong, xp_after, ml_coins_after)
		FROM (
			SELECT user, seq, xp, ml_coins, xp_before, ml_coins_before, xp_after, ml_coins_after,
			       xp_after <> xp_before + xp OR xp_after < 0 AS xp_wrong,
			       ml_coins_after <> ml_coins_before + ml_coins OR ml_coins_after < 0 AS ml_coins_wrong
			FROM (
				SELECT user, seq, xp, ml_coins, xp_after, ml_coins_after,
				       lag(xp_after, 1, 0) OVER (PARTITION BY user ORDER BY seq) AS xp_before,
				       lag(ml_coins_after, 1, 0) OVER (PARTITION BY user ORDER BY seq) AS ml_coins_before
				FROM ledger
			)
		) l JOIN users u ON u.number = l.user
		WHERE xp_wrong OR ml_coins_wrong
		LIMIT 1`, nil, &id, &seq, &column, &before, &add, &is)
	if !found {
		return "", err
	}
	return Difference(fmt.Sprintf("ledger.%s of row %d, of user %q, is %d; the user's rows before it and its own %+d make %d",
		column, seq, id, is, add, before+add)), nil
}

// state checks that the sequence and its time are not behind the ledger and its keys.
func (v *verification) state(ctx context.Context) (Difference, error) {
	var seq, at, answered, last, lastAt int64
	err := v.tx.QueryRowContext(ctx, `
		SELECT s.seq, s.at, s.answered,
		       max(coalesce((SELECT max(seq) FROM ledger), 0), coalesce((SELECT seq + count - 1 FROM keys ORDER BY seq DESC LIMIT 1), 0)),
		       coalesce((SELECT at FROM ledger ORDER BY seq DESC LIMIT 1), 0)
		FROM state s`).Scan(&seq, &at, &answered, &last, &lastAt)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return "state has no row", nil
	case err != nil:
		return "", err
	case seq < last:
		return Difference(fmt.Sprintf("state.seq is %d; the ledger and its keys go up to %d", seq, last)), nil
	case at < lastAt:
		return Difference(fmt.Sprintf("state.at is %s; the ledger's last row has %s", v.clock(at), v.clock(lastAt))), nil
	case answered > seq:
		return Difference(fmt.Sprintf("state.answered is %d; no number above %d was given", answered, seq)), nil
	}
	return "", nil
}

// keys checks that each key has ledger rows of its own, and that those rows, and no others, have
// answers. A batch or an imported file may lack rows: those of users who were erased since.
func (v *verification) keys(ctx context.Context) (Difference, error) {
	var key string
	var seq, other int64
	found, err := v.first(ctx, `
		SELECT k.key, k.seq FROM keys k
		WHERE k.count < 1 OR k.count = 1 AND substr(k.key, 1, 1) <> char(31) AND NOT EXISTS (SELECT 1 FROM ledger l WHERE l.seq = k.seq)
		ORDER BY k.seq LIMIT 1`, nil, &key, &seq)
	if err != nil {
		return "", err
	}
	if found {
		return Difference(fmt.Sprintf("keys.seq of key %q is %d; the ledger has no such row", key, seq)), nil
	}
	found, err = v.first(ctx, `
		SELECT key, seq, next FROM (SELECT key, seq, count, lead(seq) OVER (ORDER BY seq) AS next FROM keys)
		WHERE seq + count > next LIMIT 1`, nil, &key, &seq, &other)
	if err != nil {
		return "", err
	}
	if found {
		return Difference(fmt.Sprintf("keys.count of key %q, whose rows begin at %d, is too large; another key's rows begin at %d", key, seq, other)), nil
	}
	return v.answers(ctx)
}

func (v *verification) answers(ctx context.Context) (Difference, error) {
	var key string
	var seq int64
	found, err := v.first(ctx, `
		SELECT a.seq FROM answers a
		WHERE NOT EXISTS (SELECT 1 FROM ledger l WHERE l.seq = a.seq)
		   OR coalesce((SELECT k.seq + k.count FROM keys k WHERE k.seq <= a.seq ORDER BY k.seq DESC LIMIT 1), 0) <= a.seq
		ORDER BY a.seq LIMIT 1`, nil, &seq)
	if err != nil {
		return "", err
	}
	if found {
		return Difference(fmt.Sprintf("answers has a row %d; the ledger has no row of a keyed write with that seq", seq)), nil
	}
	// CROSS JOIN and + make SQLite read only each key's own rows. Any other plan would read the
	// whole ledger once for each key.
	found, err = v.first(ctx, `
		SELECT k.key, l.seq
		FROM keys k CROSS JOIN ledger l ON l.seq >= k.seq AND l.seq < k.seq + k.count
		WHERE substr(k.key, 1, 1) <> char(31) -- nobody repeats what was imported
		  AND +l.seq <= (SELECT answered FROM state) AND NOT EXISTS (SELECT 1 FROM answers a WHERE a.seq = l.seq)
		ORDER BY k.seq LIMIT 1`, nil, &key, &seq)
	if !found {
		return "", err
	}
	return Difference(fmt.Sprintf("answers has no row %d; by state.answered the rows of key %q have answers", seq, key)), nil
}
