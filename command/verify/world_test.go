package verify_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"testing"
	"time"

	"marcador/command/verify"
	"marcador/internal/schematest"
	"marcador/store"
)

// world is a database that a test makes row by row.
type world struct {
	tb   testing.TB
	path string
	db   *sql.DB
	in   *time.Location
	seq  int64
	rows map[string][]given // by user id
}

// given is a row of the ledger.
type given struct{ seq, xp, mlCoins, at int64 }

func newWorld(tb testing.TB, zone string) *world {
	tb.Helper()
	in, err := time.LoadLocation(zone)
	if err != nil {
		tb.Fatal(err)
	}
	w := &world{tb: tb, path: filepath.Join(tb.TempDir(), "a b?#.db"), in: in, rows: map[string][]given{}}
	w.connect()
	w.exec(schematest.Text(tb))
	w.exec(`PRAGMA application_id = 0x4d617263; PRAGMA user_version = 4`)
	w.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF`)
	w.exec(`INSERT INTO state (id, epoch, seq, at, answered, zone, seen, seen_at, display) VALUES (1, 'e', 0, 0, 0, '', 0, 0, '')`)
	return w
}

// copy returns a copy of the database, for a test to damage.
func (w *world) copy(tb testing.TB) *world {
	tb.Helper()
	w.exec(`PRAGMA wal_checkpoint(TRUNCATE)`)
	b, err := os.ReadFile(w.path)
	if err != nil {
		tb.Fatal(err)
	}
	c := &world{tb: tb, path: filepath.Join(tb.TempDir(), filepath.Base(w.path)), in: w.in}
	if err := os.WriteFile(c.path, b, 0o600); err != nil {
		tb.Fatal(err)
	}
	c.connect()
	c.exec(`PRAGMA synchronous = OFF`)
	return c
}

func (w *world) connect() {
	w.tb.Helper()
	var err error
	name := "file:" + filepath.Dir(w.path) + "/a%20b%3F%23.db"
	if w.db, err = sql.Open("sqlite", name); err != nil {
		w.tb.Fatal(err)
	}
	w.db.SetMaxOpenConns(1) // pragmas are those of one connection
	w.tb.Cleanup(func() {
		if err := w.db.Close(); err != nil {
			w.tb.Error(err)
		}
	})
}

func (w *world) exec(query string, args ...any) {
	w.tb.Helper()
	if _, err := w.db.ExecContext(w.tb.Context(), query, args...); err != nil {
		w.tb.Fatalf("%s: %v", query, err)
	}
}

// ms parses a time of the world's time zone.
func (w *world) ms(clock string) int64 {
	w.tb.Helper()
	return w.time(clock).UnixMilli()
}

func (w *world) time(clock string) time.Time {
	w.tb.Helper()
	t, err := time.ParseInLocation("2006-01-02 15:04", clock, w.in)
	if err != nil {
		w.tb.Fatal(err)
	}
	return t
}

// users creates users, whom others see since then.
func (w *world) users(created string, ids ...string) {
	w.tb.Helper()
	for _, id := range ids {
		w.exec(`INSERT INTO users (id, username, avatar, email, created_at, seen_since) VALUES (?1, ?1, '', '', ?2, ?2)`, id, w.ms(created))
		w.rows[id] = nil
	}
}

// give adds a row to the ledger. addUp writes the totals.
func (w *world) give(clock, id string, xp, mlCoins int64) {
	w.tb.Helper()
	w.seq++
	at := w.ms(clock)
	w.rows[id] = append(w.rows[id], given{w.seq, xp, mlCoins, at})
	var xpAfter, mlCoinsAfter int64
	for _, g := range w.rows[id] {
		xpAfter += g.xp
		mlCoinsAfter += g.mlCoins
	}
	w.exec(`INSERT INTO ledger (seq, user, xp, ml_coins, xp_after, ml_coins_after, reason, at)
	        VALUES (?, (SELECT number FROM users WHERE id = ?), ?, ?, ?, ?, '', ?)`, w.seq, id, xp, mlCoins, xpAfter, mlCoinsAfter, at)
	w.exec(`UPDATE state SET seq = ?, at = ?, answered = ?`, w.seq, at, w.seq)
}

func (w *world) join(clock, id, kind, group string) {
	w.tb.Helper()
	w.exec(`INSERT INTO memberships (user, kind, group_id, since) VALUES ((SELECT number FROM users WHERE id = ?), ?, ?, ?)`, id, kind, group, w.ms(clock))
}

func (w *world) leave(clock, id, kind, group string) {
	w.tb.Helper()
	w.exec(`UPDATE memberships SET until = ?
	        WHERE user = (SELECT number FROM users WHERE id = ?) AND kind = ? AND group_id = ? AND until IS NULL`, w.ms(clock), id, kind, group)
}

func (w *world) befriend(clock, a, b string) {
	w.tb.Helper()
	for range 2 {
		w.exec(`INSERT INTO friends (user, friend, since)
		        VALUES ((SELECT number FROM users WHERE id = ?), (SELECT number FROM users WHERE id = ?), ?)`, a, b, w.ms(clock))
		a, b = b, a
	}
}

// addUp writes the totals of all rows, with the periods of package store.
func (w *world) addUp() {
	w.tb.Helper()
	type period struct{ start, xp, reached, prior, priorXP int64 }
	for id, rows := range w.rows {
		var xp, mlCoins, reached int64
		var periods [store.Ending]period
		for _, g := range rows {
			xp += g.xp
			mlCoins += g.mlCoins
			if g.xp == 0 {
				continue
			}
			for i := range periods {
				is := &periods[i]
				if start := store.Period(i).Start(time.UnixMilli(g.at).In(w.in)).UnixMilli(); start > is.start {
					*is = period{start, 0, reached, is.start, is.xp}
				}
				is.xp += g.xp
			}
			reached = g.seq
		}
		args := []any{id, xp, mlCoins, reached}
		for _, is := range periods {
			args = append(args, is.start, is.xp, is.reached, is.prior, is.priorXP)
		}
		w.exec(`INSERT INTO totals (user, xp, ml_coins, reached, day, day_xp, day_reached, prior_day, prior_day_xp,
		            week, week_xp, week_reached, prior_week, prior_week_xp,
		            month, month_xp, month_reached, prior_month, prior_month_xp)
		        VALUES ((SELECT number FROM users WHERE id = ?), ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, args...)
	}
}

// open opens the database for verification.
func (w *world) open(opts verify.Options) *verify.DB {
	w.tb.Helper()
	opts.Location = w.in
	d, err := verify.Open(w.tb.Context(), w.path, opts)
	if err != nil {
		w.tb.Fatal(err)
	}
	w.tb.Cleanup(func() {
		if err := d.Close(); err != nil {
			w.tb.Error(err)
		}
	})
	return d
}
