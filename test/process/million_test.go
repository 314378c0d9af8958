package process_test

import (
	"bytes"
	"database/sql"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"marcador/internal/schematest"
	"marcador/live"
	"marcador/store"
	"marcador/test/testkit"
)

const million = 1_000_000

// crowd writes a database of n users, each in a school of 1,000 and a classroom of 30, with points
// from half a year ago. Of every ten users, so many as active says have gained points this month,
// too: the second one when the week began, the third one when the month began, the others today.
// If active is 10, all of them have gained points today.
func crowd(b *testing.B, path string, n, active int, now time.Time) {
	b.Helper()
	s, err := store.Open(b.Context(), path, store.Options{Schema: schematest.Text(b)})
	if err == nil {
		err = s.Close()
	}
	if err != nil {
		b.Fatal(err)
	}
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=synchronous(OFF)&_pragma=cache_size(-200000)")
	if err != nil {
		b.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	old := now.AddDate(0, -6, 0)
	starts := [3]time.Time{store.Daily.Start(now), store.Weekly.Start(now), store.Monthly.Start(now)}
	recent := func(p store.Period) string { // the start of the period of somebody's last points
		if active == 10 {
			return strconv.FormatInt(p.Start(now).UnixMilli(), 10)
		}
		return fmt.Sprintf("CASE WHEN user %% 10 >= %d THEN %d WHEN user %% 10 = 1 THEN %d WHEN user %% 10 = 2 THEN %d ELSE %d END",
			active, p.Start(old).UnixMilli(), p.Start(starts[1]).UnixMilli(), p.Start(starts[2]).UnixMilli(), p.Start(now).UnixMilli())
	}
	window := func(p store.Period) string {
		return fmt.Sprintf("%s, iif(user %% 10 < %d, 50, xp), iif(user %% 10 < %[2]d, reached - %d, 0), iif(user %% 10 < %[2]d, %d, 0), iif(user %% 10 < %[2]d, xp - 50, 0)",
			recent(p), active, n, p.Start(old).UnixMilli())
	}
	people := fmt.Sprintf("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)", n)
	for _, query := range []string{
		people + ` INSERT INTO users (number, id, username, avatar, email, created_at, seen_since)
			SELECT i, lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-' || hex(randomblob(2)) || '-' || hex(randomblob(2)) || '-' || hex(randomblob(6))),
			       'Juan Pérez ' || i, '', '', ` + strconv.FormatInt(old.UnixMilli(), 10) + ", " + strconv.FormatInt(old.UnixMilli(), 10) + ` FROM n`,
		people + ` INSERT INTO memberships (user, kind, group_id, since) SELECT i, 'classroom', i / 30, 0 FROM n`,
		people + ` INSERT INTO memberships (user, kind, group_id, since) SELECT i, 'school', i / 1000, 0 FROM n`,
		people + fmt.Sprintf(` INSERT INTO totals SELECT user, xp, 5, reached, %s, %s, %s FROM
			(SELECT i AS user, 50 + abs(random()) %% 100000 AS xp, iif(i %% 10 < %d, %d + i, i) AS reached FROM n)`,
			window(store.Daily), window(store.Weekly), window(store.Monthly), active, n),
		fmt.Sprintf(`INSERT INTO ledger SELECT user, user, iif(user %% 10 < %d, xp - 50, xp), 5, iif(user %% 10 < %[1]d, xp - 50, xp), 5, '', %d FROM totals`, active, old.UnixMilli()),
		fmt.Sprintf(`INSERT INTO ledger SELECT reached, user, 50, 0, xp, 5, '', max(%d, day) FROM totals WHERE user %% 10 < %d`, starts[2].UnixMilli(), active),
		fmt.Sprintf(`UPDATE state SET seq = %d, answered = %[1]d, at = %d`, 2*n+1, starts[0].UnixMilli()),
		fmt.Sprintf(`INSERT INTO closings (period, start, ends, ranks, entries, complete)
			VALUES ('daily', 0, %d, 'ordinal', 0, 1), ('weekly', 0, %d, 'ordinal', 0, 1), ('monthly', 0, %d, 'ordinal', 0, 1)`,
			starts[0].UnixMilli(), starts[1].UnixMilli(), starts[2].UnixMilli()),
		`PRAGMA wal_checkpoint(TRUNCATE)`,
	} {
		if _, err := db.ExecContext(b.Context(), query); err != nil {
			b.Fatalf("%v: %s", err, query)
		}
	}
	if err := db.Close(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkServe measures how long a process with a million users, of whom three in ten are active
// this month, takes until it is ready, and how much memory it has then.
func BenchmarkServe(b *testing.B) {
	path := filepath.Join(b.TempDir(), "m.db")
	crowd(b, path, million, 3, time.Now().UTC())
	testkit.Binary(b) // so that building it is not measured
	var rss, peak float64
	for b.Loop() {
		p := testkit.Spawn(b, path)
		p.Call("", http.MethodGet, "/readyz", "", nil)
		b.StopTimer()
		rss += memory(b, p.PID(), "VmRSS:")
		peak += memory(b, p.PID(), "VmHWM:")
		p.Terminate()
		b.StartTimer()
	}
	b.ReportMetric(rss/float64(b.N), "MB-resident")
	b.ReportMetric(peak/float64(b.N), "MB-peak")
}

// memory returns a field of /proc/PID/status, in MB.
func memory(b *testing.B, pid int, field string) float64 {
	b.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Skip("memory is measured on Linux")
	}
	_, after, _ := strings.Cut(string(status), field)
	kb, err := strconv.Atoi(strings.Fields(after)[0])
	if err != nil {
		b.Fatal(err)
	}
	return float64(kb) / 1024
}

// BenchmarkService_closeDay measures how long writes take, one after the other, while a new day
// begins and the old one, with a million active users, is closed in the background. It measures
// writes before that as well, to compare.
func BenchmarkService_closeDay(b *testing.B) {
	morning := time.Date(2026, 11, 18, 12, 0, 0, 0, time.UTC)
	template := filepath.Join(b.TempDir(), "m.db")
	crowd(b, template, million, 10, morning)
	somebody := somebodyIn(b, template)
	var closing, before []time.Duration
	var took time.Duration
	for b.Loop() {
		b.StopTimer()
		path := template + ".copy"
		copyFile(b, template, path)
		var now atomic.Int64
		now.Store(morning.UnixNano())
		closed := make(chan struct{}, 1)
		s, err := live.Open(b.Context(), path, live.Options{
			Schema: schematest.Text(b),
			Now:    func() time.Time { return time.Unix(0, now.Load()) },
			Log:    slog.New(slog.NewTextHandler(closer{closed}, nil)),
		})
		if err != nil {
			b.Fatal(err)
		}
		write := func() time.Duration {
			began := time.Now()
			if _, err := s.AddPoints(b.Context(), []store.Write{{Updates: []store.Update{{UserID: somebody, XP: 1}}}}); err != nil {
				b.Fatal(err)
			}
			return time.Since(began)
		}
		for began := time.Now(); time.Since(began) < 10*time.Second; {
			before = append(before, write())
		}
		now.Store(morning.Add(12 * time.Hour).UnixNano())
		b.StartTimer()
		began := time.Now()
		for done := false; !done; {
			closing = append(closing, write())
			select {
			case <-closed:
				done = true
			default:
			}
		}
		took += time.Since(began)
		b.StopTimer()
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
	for name, writes := range map[string][]time.Duration{"": closing, "-before": before} {
		slices.Sort(writes)
		for of, at := range map[string]int{"p50": len(writes) / 2, "p99": len(writes) * 99 / 100, "p99.9": len(writes) * 999 / 1000, "max": len(writes) - 1} {
			b.ReportMetric(float64(writes[at].Microseconds())/1000, "ms-"+of+name)
		}
	}
	b.ReportMetric(took.Seconds()/float64(b.N), "s-to-close")
}

// closer is a log that signals when a period with a million entries is closed.
type closer struct{ closed chan struct{} }

func (c closer) Write(line []byte) (int, error) {
	if bytes.Contains(line, []byte("period closed")) && bytes.Contains(line, []byte("entries=1000000")) {
		c.closed <- struct{}{}
	}
	return len(line), nil
}

// somebodyIn returns the id of one of the users in the database.
func somebodyIn(b *testing.B, path string) (id string) {
	b.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if err := db.QueryRowContext(b.Context(), `SELECT id FROM users WHERE number = 500000`).Scan(&id); err != nil {
		b.Fatal(err)
	}
	return id
}

// copyFile copies a file, and waits until the copy is on the disk.
func copyFile(b *testing.B, from, to string) {
	b.Helper()
	in, err := os.Open(from)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = in.Close() }()
	out, err := os.Create(to)
	if err == nil {
		_, err = io.Copy(out, in)
	}
	if err == nil {
		err = out.Sync() // or else the system would write it out while writes are timed
	}
	if err == nil {
		err = out.Close()
	}
	if err != nil {
		b.Fatal(err)
	}
}
