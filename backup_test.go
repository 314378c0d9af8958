package main

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// told runs a command that has to succeed and returns what it says.
func told(tb testing.TB, args ...string) string {
	tb.Helper()
	var out bytes.Buffer
	if err := run(tb.Context(), args, &out, io.Discard); err != nil {
		tb.Fatalf("%v: %v", args, err)
	}
	return out.String()
}

// printed is told of the built program, which is faster than this one under the race
// detector.
func printed(tb testing.TB, args ...string) string {
	tb.Helper()
	cmd := exec.CommandContext(tb.Context(), build(tb), args...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		tb.Fatalf("%v: %v\n%s%s", args, err, out, &errs)
	}
	return string(out)
}

// refuses runs a command that has to say in one line why it does nothing.
func refuses(tb testing.TB, want string, args ...string) {
	tb.Helper()
	err := run(tb.Context(), args, io.Discard, io.Discard)
	if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
		tb.Errorf("%v: %v; want %q in one line", args, err, want)
	}
}

// pointsIn are those of a user in a database that nobody writes to.
func pointsIn(tb testing.TB, path, id string) (xp int64) {
	tb.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=query_only(1)")
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = db.Close() }() // it was only read
	err = db.QueryRowContext(tb.Context(), `SELECT xp FROM totals JOIN users ON number = user WHERE id = ?`, id).Scan(&xp)
	if err != nil {
		tb.Fatal(err)
	}
	return xp
}

// A copy of a service's database has all that was acknowledged before it began, while
// writes go on. It is put back when the service is down, and not before.
func TestProcess_backup(t *testing.T) {
	folder := t.TempDir()
	db := filepath.Join(folder, "m.db")
	p, cmd := spawn(t, build(t), db)
	const users = 4
	p.enrol(users)
	admin := tokenFor(t, "svc", "admin", time.Hour)
	var acknowledged [users]atomic.Int64
	ctx, cancel := context.WithCancel(t.Context())
	var writers sync.WaitGroup
	defer func() { cancel(); writers.Wait() }()
	for u := range users {
		writers.Go(func() {
			client := &http.Client{Transport: &http.Transport{}}
			defer client.CloseIdleConnections()
			for ctx.Err() == nil {
				req, err := http.NewRequestWithContext(ctx, http.MethodPost, fmt.Sprintf("%s/v1/users/u%d/xp", p.url, u+1), strings.NewReader(`{"xp":1}`))
				if err != nil {
					t.Error(err)
					return
				}
				req.Header.Set("Authorization", "Bearer "+admin)
				req.Header.Set("Content-Type", "application/json")
				res, err := client.Do(req)
				if err != nil {
					continue // it ends
				}
				_, _ = io.Copy(io.Discard, res.Body) // so that the connection is used again
				_ = res.Body.Close()
				if res.StatusCode == http.StatusOK {
					acknowledged[u].Add(1)
				}
			}
		})
	}
	reach := func(n int64) {
		t.Helper()
		for late := time.Now().Add(patient); acknowledged[0].Load() < n; time.Sleep(time.Millisecond) { // a process under real load
			if time.Now().After(late) {
				t.Fatalf("%d writes were acknowledged within %v, want %d", acknowledged[0].Load(), patient, n)
			}
		}
	}
	reach(100)
	var before [users]int64
	for u := range users {
		before[u] = acknowledged[u].Load()
	}
	copied := filepath.Join(folder, "copy.db")
	if got := told(t, "backup", copied, "--db", db); !strings.HasPrefix(got, "copied and checked: 4 users, ") {
		t.Errorf("backup says %q", got)
	}
	refuses(t, "there is a file", "backup", copied, "--db", db)
	refuses(t, "stop it first", "restore", copied, "--db", db)
	refuses(t, "stop it first", "import", copied, "--db", db)
	reach(acknowledged[0].Load() + 20) // it goes on as before
	cancel()
	writers.Wait()
	for u := range users {
		if got := pointsIn(t, copied, fmt.Sprintf("u%d", u+1)); got < before[u] {
			t.Errorf("u%d has %d in the copy; %d were acknowledged before it", u+1, got, before[u])
		}
	}
	if got := told(t, "verify", "--db", copied); !strings.HasSuffix(got, "\nno difference\n") {
		t.Errorf("verify says %q of the copy", got)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, p.log)
	}

	id := func(p *program) string { // of the event that tells a client what it holds
		heard := p.follow(tokenFor(t, "u1", "", time.Hour), "", "")
		next(t, heard, "authenticated")
		return next(t, heard, "leaderboard:updated").id
	}
	was := pointsIn(t, db, "u1")
	if got := told(t, "restore", copied, "--db", db); !strings.Contains(got, "what was there is kept as "+db+".replaced-") {
		t.Errorf("restore says %q", got)
	}
	kept, err := filepath.Glob(db + ".replaced-*")
	if err != nil || len(kept) != 1 || pointsIn(t, kept[0], "u1") != was {
		t.Errorf("kept are %v (%v)", kept, err)
	}
	p, _ = spawn(t, build(t), db)
	var user struct{ XP int64 }
	p.call(admin, http.MethodGet, "/v1/users/u1", "", &user)
	if want := pointsIn(t, copied, "u1"); user.XP != want {
		t.Errorf("u1 has %d, want %d as in the copy", user.XP, want)
	}
	restored := id(p)
	q, _ := spawn(t, build(t), kept[0])
	if old, _, _ := strings.Cut(id(q), "-"); old == "" || strings.HasPrefix(restored, old+"-") {
		t.Errorf("ids are %q, and %q-… before: versions come again in the same epoch", restored, old)
	}
}

// people writes a file of users and n points of theirs, without keys, and returns its path.
func people(tb testing.TB, n int) string {
	tb.Helper()
	var b strings.Builder
	b.WriteString("{\"id\":\"u1\",\"username\":\"A\"}\n{\"id\":\"u2\",\"username\":\"B\"}\n")
	for i := range n {
		fmt.Fprintf(&b, "{\"userId\":\"u%d\",\"xp\":%d,\"reason\":\"exercise:%d\"}\n", 1+i%2, 1+i%5, i)
	}
	path := filepath.Join(tb.TempDir(), "people.jsonl")
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		tb.Fatal(err)
	}
	return path
}

// killed starts the program and kills it once ready says so. It reports whether it was
// killed, rather than done before.
func killed(tb testing.TB, ready func() bool, args ...string) bool {
	tb.Helper()
	cmd := exec.CommandContext(tb.Context(), build(tb), args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for {
		select {
		case err := <-ended:
			if err != nil {
				tb.Fatalf("%v: %v\n%s", args, err, &out)
			}
			return false
		case <-time.After(time.Millisecond): // a real process
			if ready() {
				_ = cmd.Process.Kill() // it may be gone
				return (<-ended) != nil
			}
		}
	}
}

// An import that is killed is gone on with by the same command, and each row counts once.
func TestProcess_importKilled(t *testing.T) {
	const n = 60_000
	file, db := people(t, n), filepath.Join(t.TempDir(), "m.db")
	size := func() int64 {
		info, err := os.Stat(db + "-wal")
		if err != nil {
			return 0
		}
		return info.Size()
	}
	kills := 0
	for range 3 {
		if killed(t, func() bool { return size() > 1<<20 }, "import", file, "--db", db) {
			kills++
		}
	}
	if kills == 0 {
		t.Error("it was never killed")
	}
	printed(t, "import", file, "--db", db)
	if got := printed(t, "import", file, "--db", db); got != fmt.Sprintf("imported: 2 users, 0 friendships, 0 limits, 0 badges, 0 points, and %d points that were there already\n", n) {
		t.Errorf("import says %q", got)
	}
	if got := pointsIn(t, db, "u1") + pointsIn(t, db, "u2"); got != 3*n {
		t.Errorf("the totals are %d, want %d", got, 3*n)
	}
	if got := printed(t, "verify", "--db", db); !strings.HasSuffix(got, "\nno difference\n") {
		t.Errorf("verify says %q", got)
	}

	// A backup or an export that is killed leaves nothing under the name that it was to get.
	for _, command := range []string{"backup", "export"} {
		folder := t.TempDir()
		to := filepath.Join(folder, "out")
		begun := func() bool {
			parts, err := filepath.Glob(to + ".part-*")
			if err != nil || len(parts) == 0 {
				return false
			}
			info, err := os.Stat(parts[0])
			return err == nil && info.Size() > 0
		}
		if !killed(t, begun, command, to, "--db", db) {
			t.Errorf("%s was done before it was killed", command)
		}
		if _, err := os.Stat(to); err == nil {
			t.Errorf("a killed %s has left a file with the name", command)
		}
		printed(t, command, to, "--db", db)
	}
}

// What is exported by a running service is imported as it is.
func TestExport(t *testing.T) {
	folder := t.TempDir()
	db, copied := filepath.Join(folder, "m.db"), filepath.Join(folder, "copy.db")
	p := serveOn(t, "127.0.0.1:0", db)
	p.enrol(3)
	p.call(tokenFor(t, "svc", "admin", time.Hour), "POST", "/v1/users/u2/xp", `{"xp":30,"mlCoins":2,"reason":"=1, \"two\""}`, nil)
	text := told(t, "export", "--db", db)
	for _, name := range []string{"all.jsonl", "all.csv"} {
		file := filepath.Join(folder, name)
		if got := told(t, "export", file, "--db", db); got != "exported: 3 users, 0 friendships, 0 limits, 5 badges, 1 points\n" {
			t.Errorf("export says %q", got)
		}
		told(t, "import", file, "--db", copied, "--timezone", "America/Merida")
		if got := told(t, "export", "--db", copied); got != text {
			t.Errorf("by way of %s:\n%s\nwant:\n%s", name, got, text)
		}
		refuses(t, "there is a file", "export", file, "--db", db)
		told(t, "verify", "--db", copied, "--timezone", "America/Merida") // as it was asked for, and then by itself
		told(t, "import", file, "--db", copied)
		told(t, "verify", "--db", copied, "--timezone", "America/Merida")
		if err := os.Remove(copied); err != nil {
			t.Fatal(err)
		}
	}
	refuses(t, "no such file", "import", filepath.Join(folder, "nothing.csv"), "--db", copied)
	refuses(t, "--timezone", "import", filepath.Join(folder, "all.csv"), "--db", copied, "--timezone", "Mars/Olympus")
	refuses(t, "there is no file", "export", "--db", filepath.Join(folder, "nothing.db"))
	refuses(t, "make it first", "export", filepath.Join(folder, "no", "all.csv"), "--db", db)
	if err := os.WriteFile(filepath.Join(folder, "bad.csv"), []byte("id,username\nu9,Nine\nu8,\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	refuses(t, `bad.csv": line 3: username: is missing; give it`, "import", filepath.Join(folder, "bad.csv"), "--db", copied)
}
