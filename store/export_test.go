package store

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"testing"

	"modernc.org/sqlite"
)

// BusyTimeout is how long SQLite waits for another program's lock.
const BusyTimeout = lockTimeout

// The statements of one update.
const (
	ReadTotals = readTotals
	AddRow     = addRow
	SaveTotals = saveTotals
)

// OpenWriter opens a database with the writer's pragmas.
func OpenWriter(path string) (*sql.DB, error) { return open(path, 1, writerPragmas) }

// Waiting is how many writes wait.
func Waiting(s *Store) int { return len(s.queue) }

// WriterPragmas returns the journal mode, synchronous and foreign_keys of the writer's connection
// as SQLite reports them.
func WriterPragmas(tb testing.TB, s *Store) string {
	tb.Helper()
	var journal string
	var synchronous, foreignKeys int
	err := s.do(tb.Context(), 1, func(ctx context.Context, t *tx) error {
		return t.conn.QueryRowContext(ctx, `
			SELECT journal_mode, synchronous, foreign_keys
			FROM pragma_journal_mode, pragma_synchronous, pragma_foreign_keys`).Scan(&journal, &synchronous, &foreignKeys)
	})
	if err != nil {
		tb.Fatal(err)
	}
	return fmt.Sprint(journal, " ", synchronous, " ", foreignKeys)
}

// Reading begins a transaction that reads the database as it is now. done ends it.
func Reading(tb testing.TB, s *Store) (done func()) {
	tb.Helper()
	conn, err := s.read.Conn(tb.Context())
	if err == nil {
		_, err = conn.ExecContext(tb.Context(), `BEGIN`)
	}
	if err == nil {
		err = conn.QueryRowContext(tb.Context(), `SELECT count(*) FROM users`).Scan(new(int))
	}
	if err != nil {
		tb.Fatal(err)
	}
	return func() {
		_, err := conn.ExecContext(tb.Context(), `ROLLBACK`)
		if err := errors.Join(err, conn.Close()); err != nil {
			tb.Error(err)
		}
	}
}

// Work returns how many pages of the database a write reads, and how many it writes.
func Work(tb testing.TB, s *Store, write func() error) (pages [2]int) {
	tb.Helper()
	count := func() (counts [2]int) {
		err := s.do(tb.Context(), 1, func(_ context.Context, t *tx) error {
			return t.conn.Raw(func(conn any) error {
				status, ok := conn.(sqlite.DBStatus)
				if !ok {
					return errors.New("the driver does not count")
				}
				for op, to := range map[sqlite.DBStatusOp]*int{
					sqlite.DBStatusCacheHit: &counts[0], sqlite.DBStatusCacheMiss: &counts[0], sqlite.DBStatusCacheWrite: &counts[1],
				} {
					n, _, err := status.Status(op, false)
					if err != nil {
						return err
					}
					*to += n
				}
				return nil
			})
		})
		if err != nil {
			tb.Fatal(err)
		}
		return counts
	}
	before := count()
	if err := write(); err != nil {
		tb.Fatal(err)
	}
	after := count()
	return [2]int{after[0] - before[0], after[1] - before[1]}
}

// Path returns the path of the database's file.
func Path(tb testing.TB, s *Store) (path string) {
	tb.Helper()
	if err := s.read.QueryRowContext(tb.Context(), `SELECT file FROM pragma_database_list WHERE name = 'main'`).Scan(&path); err != nil {
		tb.Fatal(err)
	}
	return path
}

// CheckSums fails the test if totals are not the sums of the ledger: in all, and since the starts
// of periods in totals.
func CheckSums(tb testing.TB, s *Store) {
	tb.Helper()
	var wrong int
	err := s.read.QueryRowContext(tb.Context(), `
		SELECT count(*) FROM totals t
		WHERE xp <> (SELECT coalesce(sum(xp), 0) FROM ledger WHERE user = t.user)
		   OR ml_coins <> (SELECT coalesce(sum(ml_coins), 0) FROM ledger WHERE user = t.user)
		   OR day_xp <> (SELECT coalesce(sum(xp), 0) FROM ledger WHERE user = t.user AND at >= day)
		   OR week_xp <> (SELECT coalesce(sum(xp), 0) FROM ledger WHERE user = t.user AND at >= week)
		   OR month_xp <> (SELECT coalesce(sum(xp), 0) FROM ledger WHERE user = t.user AND at >= month)
		   OR prior_day_xp <> (SELECT coalesce(sum(xp), 0) FROM ledger WHERE user = t.user AND at >= prior_day AND at < day)
		   OR prior_week_xp <> (SELECT coalesce(sum(xp), 0) FROM ledger WHERE user = t.user AND at >= prior_week AND at < week)
		   OR prior_month_xp <> (SELECT coalesce(sum(xp), 0) FROM ledger WHERE user = t.user AND at >= prior_month AND at < month)
		   OR prior_day > 0 AND NOT EXISTS (SELECT 1 FROM ledger WHERE user = t.user AND xp <> 0 AND at >= prior_day AND at < day)
		   OR reached <> (SELECT coalesce(max(seq), 0) FROM ledger WHERE user = t.user AND xp <> 0)
		   OR day_reached <> (SELECT coalesce(max(seq), 0) FROM ledger WHERE user = t.user AND xp <> 0 AND at < day)
		   OR week_reached <> (SELECT coalesce(max(seq), 0) FROM ledger WHERE user = t.user AND xp <> 0 AND at < week)
		   OR month_reached <> (SELECT coalesce(max(seq), 0) FROM ledger WHERE user = t.user AND xp <> 0 AND at < month)`).Scan(&wrong)
	if err != nil || wrong > 0 {
		tb.Errorf("%d totals are not the sums of the ledger (%v)", wrong, err)
	}
}

// Rows counts the rows about a user in all tables, and all keys and answers.
func Rows(tb testing.TB, s *Store, number uint32) (n int) {
	tb.Helper()
	err := s.read.QueryRowContext(tb.Context(), `
		SELECT (SELECT count(*) FROM users WHERE number = ?1) + (SELECT count(*) FROM memberships WHERE user = ?1)
		     + (SELECT count(*) FROM ledger WHERE user = ?1) + (SELECT count(*) FROM totals WHERE user = ?1)
		     + (SELECT count(*) FROM friends WHERE user = ?1 OR friend = ?1)
		     + (SELECT count(*) FROM finals WHERE user = ?1) + (SELECT count(*) FROM places WHERE user = ?1)
		     + (SELECT count(*) FROM keys) + (SELECT count(*) FROM answers)`, number).Scan(&n)
	if err != nil {
		tb.Fatal(err)
	}
	return n
}

// Migrate replaces all migrations by statements, until the test ends.
func Migrate(tb testing.TB, statements string) {
	tb.Helper()
	was := migrations
	migrations = []string{statements}
	tb.Cleanup(func() { migrations = was })
}

// RestoreMeanwhile is a Restore to a path without a database. It calls meanwhile after it has found
// that there is none, and before the copy gets its name.
func RestoreMeanwhile(ctx context.Context, from, path string, meanwhile func()) error {
	database, err := openExclusive(ctx, path)
	if err != nil {
		return err
	}
	part, _, err := copyOf(ctx, from, path, setEpoch)
	if err != nil {
		return errors.Join(err, database.release())
	}
	meanwhile()
	_, err = replace(part, path, database)
	return errors.Join(err, part.Discard(), database.release())
}

// DigestOf returns the digest that is stored with a key of the updates, in hexadecimal digits.
func DigestOf(updates []Update) string {
	d := digestOf(updates)
	return hex.EncodeToString(d[:])
}

// Spilled returns how many bytes the writer's connection has written to temporary files.
func Spilled(tb testing.TB, s *Store) (bytes int) {
	tb.Helper()
	err := s.do(tb.Context(), 1, func(_ context.Context, t *tx) error {
		return t.conn.Raw(func(conn any) (err error) {
			status, ok := conn.(sqlite.DBStatus)
			if !ok {
				return errors.New("the driver does not count")
			}
			bytes, _, err = status.Status(sqlite.DBStatusTempbufSpill, false)
			return err
		})
	})
	if err != nil {
		tb.Fatal(err)
	}
	return bytes
}

// Callers returns the callers of all keys, separated by spaces.
func Callers(tb testing.TB, s *Store) (list string) {
	tb.Helper()
	err := s.read.QueryRowContext(tb.Context(), `SELECT group_concat(caller, ' ') FROM (SELECT caller FROM keys ORDER BY seq)`).Scan(&list)
	if err != nil {
		tb.Fatal(err)
	}
	return list
}
