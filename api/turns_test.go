package api_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"marcador/api"
)

// Only so many pages are made at once; others wait, as long as they may.
func TestTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := api.NewTurns()
		var giveBack func()
		for range 2 * runtime.GOMAXPROCS(0) {
			var err error
			if giveBack, err = turns.Take(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if _, err := turns.Take(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != 10*time.Second {
			t.Errorf("one too many: %v after %s", err, time.Since(began))
		}
		got := make(chan error, 1)
		go func() {
			_, err := turns.Take(t.Context())
			got <- err
		}()
		synctest.Wait()
		giveBack()
		if err := <-got; err != nil {
			t.Error(err)
		}
	})
}
