package testkit

import (
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// Path returns the path of a file of the repository, given with slashes from its root.
func Path(name string) string {
	_, here, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(here), "..", "..", filepath.FromSlash(name))
}

// Write makes a file.
func Write(tb testing.TB, path string, content []byte) {
	tb.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		tb.Fatal(err)
	}
}

// Read returns the content of a file.
func Read(tb testing.TB, path string) []byte {
	tb.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// Size returns how many bytes a file has.
func Size(tb testing.TB, path string) int64 {
	tb.Helper()
	info, err := os.Stat(path)
	if err != nil {
		tb.Fatal(err)
	}
	return info.Size()
}

// Change runs a statement on a database, as somebody does who edits it by hand.
func Change(tb testing.TB, path, statement string, args ...any) {
	tb.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		tb.Fatal(err)
	}
	_, err = db.ExecContext(tb.Context(), statement, args...)
	if err := errors.Join(err, db.Close()); err != nil {
		tb.Fatal(err)
	}
}

// PointsIn returns the points of a user in a database that nobody writes to.
func PointsIn(tb testing.TB, path, user string) (xp int64) {
	tb.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=query_only(1)")
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = db.Close() }() // it was only read
	err = db.QueryRowContext(tb.Context(), `SELECT xp FROM totals JOIN users ON number = user WHERE id = ?`, user).Scan(&xp)
	if err != nil {
		tb.Fatal(err)
	}
	return xp
}

// FreeAddress returns an address that stays free while a server is away from it: its port is
// below the ports that the system gives out.
func FreeAddress(tb testing.TB) string {
	tb.Helper()
	for {
		addr := fmt.Sprintf("127.0.0.1:%d", 20_000+rand.IntN(10_000))
		if l, err := new(net.ListenConfig).Listen(tb.Context(), "tcp", addr); err == nil {
			if err := l.Close(); err != nil {
				tb.Fatal(err)
			}
			return addr
		}
	}
}
