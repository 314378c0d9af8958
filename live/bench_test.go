package live_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"marcador/internal/schematest"
	"marcador/live"
	"marcador/sse"
	"marcador/store"
)

// filled returns a service with n users, who have names and points.
func filled(b *testing.B, n int) *live.Service {
	b.Helper()
	s, err := live.Open(b.Context(), filepath.Join(b.TempDir(), "m.db"), live.Options{Schema: schematest.Text(b)})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	})
	for from := 0; from < n; from += 1000 {
		var profiles []store.Profile
		var updates []store.Update
		for i := from; i < min(from+1000, n); i++ {
			id := fmt.Sprintf("4f1c0a%06d-9c1e-4b7f-8d3a", i)
			profiles = append(profiles, store.Profile{ID: id, Username: fmt.Sprintf("Juan Pérez %d", i)})
			updates = append(updates, store.Update{UserID: id, XP: int64(1 + i*7%100_000), MLCoins: 5})
		}
		if _, err := s.PutProfiles(b.Context(), profiles); err != nil {
			b.Fatal(err)
		}
		if _, err := s.AddPoints(b.Context(), []store.Write{{Updates: updates}}); err != nil {
			b.Fatal(err)
		}
	}
	return s
}

// BenchmarkSnapshot makes a broadcast of the top 100: from the index to the bytes that all
// subscribers share.
func BenchmarkSnapshot(b *testing.B) {
	s := filled(b, 10_000)
	b.ReportAllocs()
	var size int
	for b.Loop() {
		size = live.MakeSnapshot(b, s)
	}
	b.ReportMetric(float64(size), "B/event")
}

// BenchmarkService_Page asks for a page of 100 entries as a user. The page is cached, since
// somebody else has asked for it.
func BenchmarkService_Page(b *testing.B) {
	s := filled(b, 10_000)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Page(b.Context(), live.Query{Board: live.Global, Period: store.AllTime, Limit: 100, Caller: "4f1c0a000500-9c1e-4b7f-8d3a"}); err != nil {
			b.Fatal(err)
		}
	}
}

// sink is a client that counts the bytes of every flushed write.
type sink struct {
	header  http.Header
	pending int
	writes  chan int
}

func (s *sink) Header() http.Header              { return s.header }
func (s *sink) WriteHeader(int)                  {}
func (s *sink) SetWriteDeadline(time.Time) error { return nil }
func (s *sink) Write(b []byte) (int, error)      { s.pending += len(b); return len(b), nil }
func (s *sink) Flush()                           { s.writes <- s.pending; s.pending = 0 }

// BenchmarkFormats measures the cost and the size of one update of a user in the top 100, in each
// of the formats of a stream. The users have random UUIDs and real names, and every third has an
// avatar.
func BenchmarkFormats(b *testing.B) {
	for name, format := range map[string]sse.Format{
		"json": 0, "json-gzip": sse.Gzip, "msgpack": sse.MsgPack, "msgpack-gzip": sse.MsgPack | sse.Gzip,
		"diff-json": sse.Diff, "diff-json-gzip": sse.Diff | sse.Gzip, "diff-msgpack": sse.Diff | sse.MsgPack, "diff-msgpack-gzip": sse.Diff | sse.MsgPack | sse.Gzip,
	} {
		b.Run(name, func(b *testing.B) {
			s, err := live.Open(b.Context(), filepath.Join(b.TempDir(), "m.db"), live.Options{Schema: schematest.Text(b), Throttle: -1})
			if err != nil {
				b.Fatal(err)
			}
			var last store.Profile
			random := rand.New(rand.NewPCG(1, 2))
			for i := range 100 {
				last = store.Profile{ID: uuid(random), Username: []string{"Juan Pérez", "María Canul", "Itzel Poot", "José Chan"}[i%4] + fmt.Sprint(" ", i)}
				if i%3 == 0 {
					last.Avatar = "https://example.org/avatars/" + uuid(random) + ".webp"
				}
				if _, err := s.PutProfiles(b.Context(), []store.Profile{last}); err != nil {
					b.Fatal(err)
				}
				if _, err := s.AddPoints(b.Context(), []store.Write{{Updates: []store.Update{{UserID: last.ID, XP: random.Int64N(60_000), MLCoins: random.Int64N(900)}}}}); err != nil {
					b.Fatal(err)
				}
			}
			follow, err := s.Follow(b.Context(), live.Follow{Board: live.Global, Period: store.AllTime, Seen: -1})
			if err != nil {
				b.Fatal(err)
			}
			client := &sink{header: http.Header{}, writes: make(chan int)}
			ctx, cancel := context.WithCancel(b.Context())
			var served sync.WaitGroup
			served.Go(func() {
				r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil)
				stream := sse.Stream{Greeting: func(bool) []byte { return []byte("{}") }, Format: format, Follows: []sse.Follow{follow}}
				if err := sse.NewServer(s.Hub(), sse.Options{Heartbeat: time.Hour}).Serve(client, r, stream); err != nil {
					b.Error(err)
				}
			})
			<-client.writes
			var size int
			for b.Loop() {
				if _, err := s.AddPoints(b.Context(), []store.Write{{Updates: []store.Update{{UserID: last.ID, XP: 1}}}}); err != nil {
					b.Fatal(err)
				}
				size = <-client.writes
			}
			b.ReportMetric(float64(size), "B/event")
			cancel()
			served.Wait()
			if err := s.Close(); err != nil {
				b.Error(err)
			}
		})
	}
}

func uuid(random *rand.Rand) string {
	return fmt.Sprintf("%08x-%04x-4%03x-8%03x-%012x", random.Uint32(), random.Uint32()&0xffff, random.Uint32()&0xfff, random.Uint32()&0xfff, random.Uint64()&0xffffffffffff)
}
