package store_test

import (
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"marcador/store"
)

// BenchmarkStore_AddPoints is one update, committed and fsynced, by so many
// callers at a time.
func BenchmarkStore_AddPoints(b *testing.B) {
	for _, callers := range []int{1, 10, 100, 1000} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			s := open(b, filepath.Join(b.TempDir(), "m.db"), store.Options{})
			users := make([]string, 1000)
			for i := range users {
				users[i] = fmt.Sprintf("u%d", i)
			}
			put(b, s, users...)
			var next atomic.Int64
			b.ReportAllocs()
			b.ResetTimer()
			var wg sync.WaitGroup
			for range callers {
				wg.Go(func() {
					for {
						i := next.Add(1)
						if i > int64(b.N) {
							return
						}
						give(b, s, users[i%int64(len(users))], 5)
					}
				})
			}
			wg.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "updates/s")
		})
	}
}
