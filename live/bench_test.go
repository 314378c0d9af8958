package live_test

import (
	"fmt"
	"path/filepath"
	"testing"

	"marcador/live"
)

// filled returns a service of n users with names and scores.
func filled(b *testing.B, n int) *live.Service {
	b.Helper()
	s, err := live.Open(b.Context(), filepath.Join(b.TempDir(), "m.db"), live.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	})
	for from := 0; from < n; from += 1000 {
		var profiles []live.Profile
		var updates []live.Update
		for i := from; i < min(from+1000, n); i++ {
			id := fmt.Sprintf("4f1c0a%06d-9c1e-4b7f-8d3a", i)
			profiles = append(profiles, live.Profile{ID: id, Username: fmt.Sprintf("Juan Pérez %d", i)})
			updates = append(updates, live.Update{UserID: id, XP: int64(1 + i*7%100_000), MLCoins: 5})
		}
		if _, err := s.PutProfiles(b.Context(), profiles); err != nil {
			b.Fatal(err)
		}
		if _, err := s.AddPoints(b.Context(), []live.Write{{Updates: updates}}); err != nil {
			b.Fatal(err)
		}
	}
	return s
}

// BenchmarkSnapshot is the broadcast of the top 100, from the index to the bytes
// that all subscribers share.
func BenchmarkSnapshot(b *testing.B) {
	s := filled(b, 10_000)
	b.ReportAllocs()
	var size int
	for b.Loop() {
		size = live.MakeSnapshot(b, s)
	}
	b.ReportMetric(float64(size), "B/event")
}

// BenchmarkService_Page is a page of 100 that a user asks for, when nothing has
// changed since somebody else did.
func BenchmarkService_Page(b *testing.B) {
	s := filled(b, 10_000)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Page(b.Context(), live.Global, 0, 100, "4f1c0a000500-9c1e-4b7f-8d3a"); err != nil {
			b.Fatal(err)
		}
	}
}
