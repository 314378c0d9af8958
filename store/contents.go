package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

// Contents is a summary of what a copy of a database has.
type Contents struct {
	Schema      int       // version of the schema
	Users, Rows int64     // Rows of the ledger
	Seq         int64     // the last seq that was given
	At          time.Time // when it was given
	Bytes       int64     // size of the file
}

// contentsOf checks the database in the file at path from end to end and returns a summary of it.
// The schema may have any version. If something is wrong with the database, the error wraps
// ErrDamaged; if the file is no database of this program, it does not. O(file).
func contentsOf(ctx context.Context, path string) (c Contents, err error) {
	db, err := openExisting(path, readerPragmas)
	if err != nil {
		return c, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := expect(ctx, db, path); err != nil {
		return c, err
	}
	for _, check := range []func(context.Context, querier) error{wholePages, wholeReferences, wholeSums} {
		if err := check(ctx, db); err != nil {
			return c, faultOf(err)
		}
	}
	var at int64
	err = db.QueryRowContext(ctx, `
		SELECT user_version, (SELECT count(*) FROM users), (SELECT count(*) FROM ledger), seq, at
		FROM state, pragma_user_version`).Scan(&c.Schema, &c.Users, &c.Rows, &c.Seq, &at)
	if errors.Is(err, sql.ErrNoRows) {
		return c, fmt.Errorf("%w: the table state is empty", ErrDamaged)
	}
	if err != nil {
		return c, faultOf(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return c, err
	}
	c.At, c.Bytes = time.UnixMilli(at).UTC(), info.Size()
	return c, nil
}

// openExisting opens a database with one connection. Unlike open it never makes a file.
func openExisting(path string, pragmas []string) (*sql.DB, error) {
	switch info, err := os.Stat(path); {
	case errors.Is(err, os.ErrNotExist):
		return nil, fmt.Errorf("there is no file %q; give the path of one that exists", path)
	case err != nil:
		return nil, err
	case info.IsDir():
		return nil, fmt.Errorf("%q is a folder; give the path of a file", path)
	}
	return openAs(path, "rw", 1, pragmas)
}

// querier is a *sql.DB or a *sql.Tx.
type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// wholePages looks for damage in the file itself: pages, indexes, columns with a wrong type.
func wholePages(ctx context.Context, db querier) error {
	var verdict string
	err := db.QueryRowContext(ctx, `PRAGMA integrity_check(1)`).Scan(&verdict)
	if err == nil && verdict != "ok" {
		err = fmt.Errorf("%w: %s", ErrDamaged, strings.ReplaceAll(verdict, "\n", ": "))
	}
	return err
}

// wholeReferences looks for a row that refers to a row which does not exist.
func wholeReferences(ctx context.Context, db querier) error {
	var table, parent string
	err := db.QueryRowContext(ctx, `SELECT "table", parent FROM pragma_foreign_key_check LIMIT 1`).Scan(&table, &parent)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err == nil {
		err = fmt.Errorf("%w: a row of the table %s refers to a row of %s that does not exist", ErrDamaged, table, parent)
	}
	return err
}

// wholeSums looks for totals that are not the sums of the ledger.
func wholeSums(ctx context.Context, db querier) error {
	var id string
	var xp, coins, xpSum, coinsSum sql.NullInt64
	err := db.QueryRowContext(ctx, `
		SELECT u.id, t.xp, t.ml_coins, coalesce(l.xp, 0), coalesce(l.ml_coins, 0)
		FROM users u LEFT JOIN totals t ON t.user = u.number
		LEFT JOIN (SELECT user, sum(xp) AS xp, sum(ml_coins) AS ml_coins FROM ledger GROUP BY user) l ON l.user = u.number
		WHERE t.xp IS NOT coalesce(l.xp, 0) OR t.ml_coins IS NOT coalesce(l.ml_coins, 0) LIMIT 1`).
		Scan(&id, &xp, &coins, &xpSum, &coinsSum)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil
	case err != nil:
		return err
	case !xp.Valid:
		return fmt.Errorf("%w: user %q has no totals", ErrDamaged, id)
	}
	return fmt.Errorf("%w: user %q has %d points and %d coins, and the ledger says %d and %d",
		ErrDamaged, id, xp.Int64, coins.Int64, xpSum.Int64, coinsSum.Int64)
}
