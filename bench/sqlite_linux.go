package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"time"

	"modernc.org/sqlite" // measures the program's database without the program
)

// bareSQLite is the least that a durable write takes: one connection to a database of the program,
// with the same settings, that runs the three statements of an update in large transactions. It
// waits for nobody, ranks nobody and answers nobody.
type bareSQLite struct {
	db   *sql.DB
	conn *sql.Conn

	read, add, save, state *sql.Stmt

	seq int64
}

func openBareSQLite(ctx context.Context, path string) (_ *bareSQLite, err error) {
	dsn := url.URL{Scheme: "file", OmitHost: true, Path: path, RawQuery: url.Values{"_pragma": {
		"busy_timeout(5000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(ON)",
		"wal_autocheckpoint(8192)", "journal_size_limit(67108864)", "secure_delete(ON)", "cache_size(-65536)",
	}}.Encode()}
	_, _ = sqlite.Fdatasync(true) // like the program, which also goes on if the system has none
	b := &bareSQLite{}
	if b.db, err = sql.Open("sqlite", dsn.String()); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.close())
		}
	}()
	if b.conn, err = b.db.Conn(ctx); err != nil {
		return nil, err
	}
	for _, p := range []struct {
		stmt **sql.Stmt
		sql  string
	}{
		{&b.read, `
			SELECT t.user, t.xp, t.ml_coins, t.reached,
			       t.day, t.day_xp, t.day_reached, t.prior_day, t.prior_day_xp,
			       t.week, t.week_xp, t.week_reached, t.prior_week, t.prior_week_xp,
			       t.month, t.month_xp, t.month_reached, t.prior_month, t.prior_month_xp
			FROM users u JOIN totals t ON t.user = u.number WHERE u.id = ?`},
		{&b.add, `
			INSERT INTO ledger (seq, user, xp, ml_coins, xp_after, ml_coins_after, reason, at)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?)`},
		{&b.save, `
			UPDATE totals SET xp = ?, ml_coins = ?, reached = ?,
			       day = ?, day_xp = ?, day_reached = ?, prior_day = ?, prior_day_xp = ?,
			       week = ?, week_xp = ?, week_reached = ?, prior_week = ?, prior_week_xp = ?,
			       month = ?, month_xp = ?, month_reached = ?, prior_month = ?, prior_month_xp = ?
			WHERE user = ?`},
		{&b.state, `UPDATE state SET seq = ?, at = ?, answered = ?`},
	} {
		//nolint:sqlclosecheck // close does it
		if *p.stmt, err = b.conn.PrepareContext(ctx, p.sql); err != nil {
			return nil, err
		}
	}
	err = b.conn.QueryRowContext(ctx, `SELECT seq FROM state`).Scan(&b.seq)
	return b, err
}

func (b *bareSQLite) close() error {
	var err error
	for _, stmt := range []*sql.Stmt{b.read, b.add, b.save, b.state} {
		if stmt != nil {
			err = errors.Join(err, stmt.Close())
		}
	}
	if b.conn != nil {
		err = errors.Join(err, b.conn.Close())
	}
	return errors.Join(err, b.db.Close())
}

// run commits transactions of batch updates for the time d, and returns the number of updates.
func (b *bareSQLite) run(ctx context.Context, batch int, d time.Duration) (updates int, err error) {
	for end := time.Now().Add(d); time.Now().Before(end); updates += batch {
		if err := b.transact(ctx, updates, batch); err != nil {
			return updates, fmt.Errorf("bare SQLite: %w", err)
		}
	}
	return updates, nil
}

func (b *bareSQLite) transact(ctx context.Context, first, batch int) error {
	if _, err := b.conn.ExecContext(ctx, `BEGIN IMMEDIATE`); err != nil {
		return err
	}
	now := time.Now().UnixMilli()
	for i := range batch {
		if err := b.update(ctx, personIDs()[(first+i)*37%writePeople], now); err != nil {
			return err
		}
	}
	if _, err := b.state.ExecContext(ctx, b.seq, now, b.seq); err != nil {
		return err
	}
	_, err := b.conn.ExecContext(ctx, `COMMIT`)
	return err
}

func (b *bareSQLite) update(ctx context.Context, id string, now int64) error {
	var t [19]int64 // a row of totals
	targets := make([]any, len(t))
	for i := range t {
		targets[i] = &t[i]
	}
	if err := b.read.QueryRowContext(ctx, id).Scan(targets...); err != nil {
		return err
	}
	b.seq++
	if _, err := b.add.ExecContext(ctx, b.seq, t[0], 1, 0, t[1]+1, t[2], "exercise:1", now); err != nil {
		return err
	}
	_, err := b.save.ExecContext(ctx, t[1]+1, t[2], b.seq,
		t[4], t[5]+1, t[6], t[7], t[8], t[9], t[10]+1, t[11], t[12], t[13], t[14], t[15]+1, t[16], t[17], t[18], t[0])
	return err
}
