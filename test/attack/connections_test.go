package attack_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"marcador/test/testkit"
)

// A client that opens more connections than the process may open files shuts nobody out: others are
// answered, and streams go on.
func TestConnections_moreThanFiles(t *testing.T) {
	limited := filepath.Join(t.TempDir(), "limited")
	if err := os.WriteFile(limited, []byte(fmt.Sprintf("#!/bin/sh\nulimit -n 500\nexec %s \"$@\"\n", testkit.Binary(t))), 0o755); err != nil {
		t.Fatal(err)
	}
	p := testkit.Await(t, testkit.ServiceCommand([]string{limited}, testkit.Database(t)))
	p.Client = &http.Client{Timeout: 5 * time.Second}
	admin := testkit.Token(t, "svc", "admin")
	p.Enrol(2)
	heard := p.Follow(testkit.Token(t, "u1", ""), "", "")
	testkit.Next(t, heard, "authenticated")
	testkit.Next(t, heard, "leaderboard:updated")
	var slowest time.Duration
	for _, part := range []string{
		"", "GET /v1/leaderboards/global HTTP/1.1\r\nHost: x\r\nX-",
		"POST /v1/xp HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345",
		"POST /v1/users/u1/xp HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nAuthorization: Bearer " + admin + "\r\nContent-Length: 10\r\n\r\n12345",
		"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
	} {
		var rude []net.Conn
		for range 4 {
			for range 150 {
				conn, err := net.DialTimeout("tcp", p.Host(), 5*time.Second)
				if err != nil {
					t.Fatal(err)
				}
				rude = append(rude, conn)
				_, _ = io.WriteString(conn, part) // it may be closed already
			}
			began := time.Now()
			p.Give("u2", 5)
			slowest = max(slowest, time.Since(began))
			testkit.Next(t, heard, "leaderboard:updated")
		}
		for _, conn := range rude {
			_ = conn.Close()
		}
	}
	t.Logf("the slowest write took %s", slowest)
}

// A connection that sends part of a request, and no more, is closed within 15 seconds.
func TestConnections_partOfARequest(t *testing.T) {
	t.Parallel()
	p := testkit.Spawn(t, testkit.Database(t))
	admin := testkit.Token(t, "svc", "admin")
	began := time.Now()
	var waiting sync.WaitGroup
	for name, part := range map[string]string{
		"nothing":     "",
		"half a head": "GET /v1/leaderboards/global HTTP/1.1\r\nHost: x\r\nX-",
		"half a body": "POST /v1/xp HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nAuthorization: Bearer " + admin + "\r\nContent-Length: 10\r\n\r\n12345",
	} {
		conn, err := net.Dial("tcp", p.Host())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, part); err != nil {
			t.Fatal(err)
		}
		waiting.Go(func() {
			_, err := io.Copy(io.Discard, conn) // until it is closed
			if took := time.Since(began); took > 15*time.Second {
				t.Errorf("%s was there for %s (%v)", name, took, err)
			}
			_ = conn.Close()
		})
	}
	waiting.Wait()
}
