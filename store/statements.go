package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// The statements of one update. The benchmark runs them without the store.
const (
	readTotals = `
		SELECT t.user, t.xp, t.ml_coins, t.reached,
		       t.day, t.day_xp, t.day_reached, t.prior_day, t.prior_day_xp,
		       t.week, t.week_xp, t.week_reached, t.prior_week, t.prior_week_xp,
		       t.month, t.month_xp, t.month_reached, t.prior_month, t.prior_month_xp
		FROM users u JOIN totals t ON t.user = u.number WHERE u.id = ?`
	addRow = `
		INSERT INTO ledger (seq, user, xp, ml_coins, xp_after, ml_coins_after, reason, at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?)`
	saveTotals = `
		UPDATE totals SET xp = ?, ml_coins = ?, reached = ?,
		       day = ?, day_xp = ?, day_reached = ?, prior_day = ?, prior_day_xp = ?,
		       week = ?, week_xp = ?, week_reached = ?, prior_week = ?, prior_week_xp = ?,
		       month = ?, month_xp = ?, month_reached = ?, prior_month = ?, prior_month_xp = ?
		WHERE user = ?`
)

// statements are the prepared statements of the writer's connection: the ones that every update or
// every profile runs.
type statements struct {
	saveState, dataVersion            *sql.Stmt
	totals, addRow, saveTotals        *sql.Stmt
	key, keyedRows, addKey, addAnswer *sql.Stmt

	profile, putUser, addUser, addTotals, endMembership, addMembership *sql.Stmt

	all []*sql.Stmt
}

func (s *statements) prepare(ctx context.Context, conn *sql.Conn) error {
	for _, p := range []struct {
		stmt **sql.Stmt
		sql  string
	}{
		{&s.saveState, `UPDATE state SET seq = ?, at = ?, answered = ?, seen = ?, seen_at = ?`},
		{&s.dataVersion, `PRAGMA data_version`},
		{&s.totals, readTotals},
		{&s.addRow, addRow},
		{&s.saveTotals, saveTotals},
		{&s.key, `SELECT seq, count, digest FROM keys WHERE caller = ? AND key = ?`},
		{&s.keyedRows, `
			SELECT l.seq, l.user, l.xp, l.ml_coins, l.xp_after, l.ml_coins_after,
			       coalesce(a.old_rank, 0), coalesce(a.new_rank, 0)
			FROM ledger l LEFT JOIN answers a USING (seq)
			WHERE l.seq >= ? AND l.seq < ? ORDER BY l.seq`},
		{&s.addKey, `INSERT INTO keys (seq, count, caller, key, digest) VALUES (?, ?, ?, ?, ?)`},
		// The ledger's row is missing if its user was erased since.
		{&s.addAnswer, `
			INSERT OR IGNORE INTO answers (seq, old_rank, new_rank)
			SELECT seq, ?2, ?3 FROM ledger WHERE seq = ?1`},
		{&s.profile, `
			SELECT u.number, u.username, u.avatar, u.email, u.pseudonym, u.hidden,
			       (SELECT json_group_array(json_array(kind, group_id)) FROM memberships m WHERE m.user = u.number AND until IS NULL),
			       EXISTS (SELECT 1 FROM totals t WHERE t.user = u.number)
			FROM users u WHERE u.id = ?`},
		{&s.putUser, `
			UPDATE users SET username = ?1, avatar = ?2, email = ?3, pseudonym = ?4, hidden = ?5,
			       seen_since = iif(hidden AND NOT ?5, ?6, seen_since)
			WHERE number = ?7`},
		{&s.addUser, `
			INSERT INTO users (number, id, username, avatar, email, pseudonym, hidden, created_at, seen_since)
			VALUES (max(?1, (SELECT coalesce(max(number), 0) FROM users)) + 1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8)
			RETURNING number`},
		{&s.addTotals, `
			INSERT OR IGNORE INTO totals (user, xp, ml_coins, reached, day, day_xp, day_reached,
			                              week, week_xp, week_reached, month, month_xp, month_reached)
			VALUES (?, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)`},
		{&s.endMembership, `
			UPDATE memberships SET until = ?1 WHERE user = ?2 AND kind = ?3 AND group_id = ?4 AND until IS NULL`},
		// A user who comes back in the millisecond in which they left has not been away.
		{&s.addMembership, `
			INSERT INTO memberships (user, kind, group_id, since) VALUES (?2, ?3, ?4, ?1)
			ON CONFLICT DO UPDATE SET until = NULL`},
	} {
		stmt, err := conn.PrepareContext(ctx, p.sql) //nolint:sqlclosecheck // close does
		if err != nil {
			return fmt.Errorf("prepare %q: %w", p.sql, err)
		}
		*p.stmt = stmt
		s.all = append(s.all, stmt)
	}
	return nil
}

// close closes the statements. With one left the connection would stay open, and the write-ahead
// log would not be removed.
func (s *statements) close() error {
	var err error
	for _, stmt := range s.all {
		err = errors.Join(err, stmt.Close())
	}
	return err
}
