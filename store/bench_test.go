package store_test

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"marcador/store"
)

const benchUsers = 1000

// BenchmarkStore_AddPoints measures updates, each committed and on the disk, by several callers at
// a time.
//
// "×bare" is the rate of the store divided by the rate of SQLite alone: see compareWithBare.
func BenchmarkStore_AddPoints(b *testing.B) {
	for _, callers := range []int{1, 10, 64, 100, 1000} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			ours := compareWithBare(b, 2000, func(s *store.Store, users []string, _, n int) {
				giveAll(b, s, users, callers, n)
			})
			b.ReportMetric(float64(b.N)/ours.Seconds(), "updates/s")
		})
	}
}

// BenchmarkStore_AddPoints_keyed measures updates in batches of 100, each under a key of its own.
// "×bare" compares them with updates without keys.
func BenchmarkStore_AddPoints_keyed(b *testing.B) {
	compareWithBare(b, 100, func(s *store.Store, users []string, first, n int) {
		writes := make([]store.Write, n)
		for i := range writes {
			id := users[(first+i)%len(users)]
			key := fmt.Sprintf("exercise-%s-%d", id, first)
			writes[i] = store.Write{Caller: "svc", Key: key, Updates: []store.Update{{UserID: id, XP: 5}}}
		}
		if _, err := s.AddPoints(b.Context(), writes); err != nil {
			b.Fatal(err)
		}
	})
}

// compareWithBare has a store and SQLite alone make b.N updates each, in alternating rounds of
// atOnce, so that changes of the machine's speed affect both. give makes n updates through the
// store, the first of which has a number. It reports "×bare" and returns the time that the store
// took.
func compareWithBare(b *testing.B, atOnce int, give func(s *store.Store, users []string, first, n int)) (ours time.Duration) {
	b.Helper()
	s := open(b, filepath.Join(b.TempDir(), "m.db"), store.Options{})
	users := make([]string, benchUsers)
	for i := range users {
		users[i] = fmt.Sprintf("u%d", i)
	}
	put(b, s, users...)
	bare := newBare(b, users)
	var theirs time.Duration
	b.ReportAllocs()
	b.ResetTimer()
	for first := 0; first < b.N; first += atOnce {
		n := min(b.N-first, atOnce)
		begin := time.Now()
		give(s, users, first, n)
		ours += time.Since(begin)
		b.StopTimer()
		begin = time.Now()
		bare.give(b, n)
		theirs += time.Since(begin)
		b.StartTimer()
	}
	b.ReportMetric(theirs.Seconds()/ours.Seconds(), "×bare")
	return ours
}

// giveAll has several callers give points n times in all.
func giveAll(b *testing.B, s *store.Store, users []string, callers, n int) {
	b.Helper()
	var next atomic.Int64
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for {
				i := next.Add(1)
				if i > int64(n) {
					return
				}
				give(b, s, users[i%int64(len(users))], 5)
			}
		})
	}
	wg.Wait()
}

// bare is SQLite alone: a loop of the statements that an update takes, in transactions of 100, on a
// database that was set up in the same way.
type bare struct {
	conn                 *sql.Conn
	users                []string
	totals, addRow, save *sql.Stmt
	seq                  int64
}

func newBare(b *testing.B, users []string) *bare {
	b.Helper()
	path := filepath.Join(b.TempDir(), "bare.db")
	s := open(b, path, store.Options{})
	put(b, s, users...)
	seq := s.Seq()
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	db, err := store.OpenWriter(path)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := db.Close(); err != nil {
			b.Error(err)
		}
	})
	conn, err := db.Conn(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	return &bare{
		conn: conn, users: users, seq: seq,
		totals: prepare(b, conn, store.ReadTotals), addRow: prepare(b, conn, store.AddRow), save: prepare(b, conn, store.SaveTotals),
	}
}

func prepare(b *testing.B, conn *sql.Conn, query string) *sql.Stmt {
	b.Helper()
	stmt, err := conn.PrepareContext(b.Context(), query)
	if err != nil {
		b.Fatal(err)
	}
	return stmt
}

func (d *bare) give(b *testing.B, n int) {
	b.Helper()
	for first := 0; first < n; first += 100 {
		if err := d.transact(context.Background(), first, min(n, first+100)); err != nil {
			b.Fatal(err)
		}
	}
}

func (d *bare) transact(ctx context.Context, from, to int) error {
	if _, err := d.conn.ExecContext(ctx, `BEGIN IMMEDIATE`); err != nil {
		return err
	}
	for i := from; i < to; i++ {
		var t [19]int64
		targets := make([]any, len(t))
		for i := range t {
			targets[i] = &t[i]
		}
		if err := d.totals.QueryRowContext(ctx, d.users[i%len(d.users)]).Scan(targets...); err != nil {
			return err
		}
		d.seq++
		if _, err := d.addRow.ExecContext(ctx, d.seq, t[0], 5, 0, t[1]+5, t[2], "", time.Now().UnixMilli()); err != nil {
			return err
		}
		if _, err := d.save.ExecContext(ctx, t[1]+5, t[2], d.seq, t[4], t[5]+5, t[6], t[7], t[8],
			t[9], t[10]+5, t[11], t[12], t[13], t[14], t[15]+5, t[16], t[17], t[18], t[0]); err != nil {
			return err
		}
	}
	_, err := d.conn.ExecContext(ctx, `COMMIT`)
	return err
}
