package site

import (
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"marcador/test/testkit"
)

// Streams counts a service's streams.
type Streams struct {
	open, asked atomic.Int32
}

// Asked returns how many streams were asked for so far.
func (s *Streams) Asked() int { return int(s.asked.Load()) }

// Await waits until so many streams are open.
func (s *Streams) Await(tb testing.TB, want int) {
	tb.Helper()
	for late := time.Now().Add(testkit.Patience); s.open.Load() != int32(want); time.Sleep(time.Millisecond) {
		if time.Now().After(late) {
			tb.Fatalf("%d streams are open, want %d", s.open.Load(), want)
		}
	}
}

// AwaitMore waits until a stream is asked for after so many.
func (s *Streams) AwaitMore(tb testing.TB, asked int) {
	tb.Helper()
	for late := time.Now().Add(testkit.Patience); s.Asked() == asked; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(late) {
			tb.Fatal("nobody asks for a stream any more")
		}
	}
}

// count counts a request if it is for a stream. Call what it returns when the request is over.
func (s *Streams) count(r *http.Request) (over func()) {
	if r.URL.Path != "/v1/events" || r.Method != http.MethodGet {
		return func() {}
	}
	s.asked.Add(1)
	s.open.Add(1)
	return func() { s.open.Add(-1) }
}
