package membudget_test

import (
	"runtime/debug"
	"testing"
	"testing/synctest"
	"time"

	"marcador/internal/membudget"
)

// gcPercent returns the GC percentage of the process.
func gcPercent() int {
	percent := debug.SetGCPercent(100)
	debug.SetGCPercent(percent)
	return percent
}

// Garbage is collected sooner until much memory has not been in use for ten seconds. A percentage
// that is lower from the start stays as it is.
func TestGCTuner_Disturb(t *testing.T) {
	for _, c := range []struct{ usual, busy int }{{100, 50}, {20, 20}} {
		synctest.Test(t, func(t *testing.T) {
			defer debug.SetGCPercent(debug.SetGCPercent(c.usual))
			tuner := membudget.NewGCTuner()
			want := func(when string, percent int) {
				t.Helper()
				synctest.Wait()
				if got := gcPercent(); got != percent {
					t.Errorf("%s the percentage is %d, want %d", when, got, percent)
				}
			}
			tuner.Disturb()
			want("at first", c.busy)
			time.Sleep(9 * time.Second)
			tuner.Disturb()
			time.Sleep(9 * time.Second)
			want("nine seconds after another call", c.busy)
			time.Sleep(2 * time.Second)
			want("after eleven seconds", c.usual)
		})
	}
}
