package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// Whoever opens thousands of connections, where the process may open few hundred
// files, shuts out nobody: others are answered, and streams go on.
func TestCrowd(t *testing.T) {
	binary := build(t)
	limited := filepath.Join(t.TempDir(), "limited")
	if err := os.WriteFile(limited, []byte(fmt.Sprintf("#!/bin/sh\nulimit -n 500\nexec %s \"$@\"\n", binary)), 0o755); err != nil {
		t.Fatal(err)
	}
	p, _ := spawn(t, limited, filepath.Join(t.TempDir(), "m.db"))
	p.client = &http.Client{Timeout: 5 * time.Second}
	admin := tokenFor(t, "svc", "admin", time.Hour)
	p.enrol(2)
	heard := p.follow(tokenFor(t, "u1", "", time.Hour), "", "")
	next(t, heard, "authenticated")
	next(t, heard, "leaderboard:updated")
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
				conn, err := net.DialTimeout("tcp", strings.TrimPrefix(p.url, "http://"), 5*time.Second)
				if err != nil {
					t.Fatal(err)
				}
				rude = append(rude, conn)
				_, _ = io.WriteString(conn, part) // it may be closed already
			}
			began := time.Now()
			p.call(admin, http.MethodPost, "/v1/users/u2/xp", `{"xp":5}`, nil)
			slowest = max(slowest, time.Since(began))
			next(t, heard, "leaderboard:updated")
		}
		for _, conn := range rude {
			_ = conn.Close()
		}
	}
	t.Logf("the slowest write took %s", slowest)
}

// Half of a request, whichever half, is gone within 15 seconds.
func TestSlow(t *testing.T) {
	p, _ := spawn(t, build(t), filepath.Join(t.TempDir(), "m.db"))
	admin := tokenFor(t, "svc", "admin", time.Hour)
	began := time.Now()
	var waiting sync.WaitGroup
	for name, part := range map[string]string{
		"nothing":     "",
		"half a head": "GET /v1/leaderboards/global HTTP/1.1\r\nHost: x\r\nX-",
		"half a body": "POST /v1/xp HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nAuthorization: Bearer " + admin + "\r\nContent-Length: 10\r\n\r\n12345",
	} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(p.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, part); err != nil {
			t.Fatal(err)
		}
		waiting.Go(func() {
			_, err := io.Copy(io.Discard, conn) // what it says, and until it closes
			if took := time.Since(began); took > 15*time.Second {
				t.Errorf("%s was there for %s (%v)", name, took, err)
			}
			_ = conn.Close()
		})
	}
	waiting.Wait()
}
