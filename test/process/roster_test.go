package process_test

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"marcador/test/testkit"
)

// roster returns the body of an upload of 1,000 profiles from a number on, each in a school of
// 1,000 and a classroom of 30.
func roster(number int, name, classroom string) string {
	var b strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&b, `,{"id":"new-%d","username":"%s %d","groups":{"school":["%d"],"classroom":["%s%d"]}}`,
			number+i, name, i, (number+i)/1000, classroom, (number+i)/30)
	}
	return `{"users":[` + b.String()[1:] + `]}`
}

// BenchmarkRoster measures an upload of 1,000 profiles over HTTP: new people, people who change
// their classroom, and people with nothing new.
func BenchmarkRoster(b *testing.B) {
	for _, n := range []int{1, million} {
		b.Run(fmt.Sprintf("users=%d", n), func(b *testing.B) {
			path := filepath.Join(b.TempDir(), "m.db")
			crowd(b, path, n, 3, time.Now().UTC())
			p := testkit.Spawn(b, path)
			pid := p.PID()
			admin := testkit.Token(b, "svc", "admin")
			number, move := 0, 0
			for name, body := range map[string]func() string{
				"new":   func() string { number += 1000; return roster(number, "Ana", "") },
				"moved": func() string { move++; return roster(1000, "Ana", fmt.Sprint("c", move, "-")) },
				"same":  func() string { return roster(1000, "Ana", "same") },
			} {
				b.Run(name, func(b *testing.B) {
					p := p.For(b)
					p.Call(admin, http.MethodPost, "/v1/users", roster(1000, "Ana", "same"), nil)
					before := processorTime(b, pid)
					for b.Loop() {
						b.StopTimer()
						text := body()
						b.StartTimer()
						p.Call(admin, http.MethodPost, "/v1/users", text, nil)
					}
					b.ReportMetric((processorTime(b, pid)-before)/float64(b.N), "cpu-ms/op")
				})
			}
		})
	}
}

// processorTime returns how long a process has kept processors busy, in milliseconds. Other load on
// the machine changes it less than it changes the time that passes.
func processorTime(b *testing.B, pid int) float64 {
	b.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		b.Skip("processor time is measured on Linux")
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	const user, system, tick = 11, 12, 10 // fields behind the name; milliseconds
	var sum float64
	for _, f := range []int{user, system} {
		ticks, err := strconv.ParseFloat(fields[f], 64)
		if err != nil {
			b.Fatal(err)
		}
		sum += ticks * tick
	}
	return sum
}
