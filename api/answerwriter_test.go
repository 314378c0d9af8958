package api_test

import (
	"net/http/httptest"
	"testing"

	"marcador/api"
	"marcador/internal/membudget"
)

// An answer counts once while it is written. One in MessagePack counts twice, with the JSON that it
// was made from.
func TestAnswerWriter_countsCopies(t *testing.T) {
	const size = 100 << 10
	b := membudget.New(membudget.Options{Bytes: 10 * size, PageSlots: 1, Tuner: membudget.NewGCTuner()})
	for _, c := range []struct {
		packed bool
		want   int64
	}{{false, size}, {true, 2 * size}} {
		memory := b.Reserve("a", 0, func() {}, func() {})
		if err := api.WriteAnswer(t.Context(), memory, httptest.NewRecorder(), size, c.packed); err != nil {
			t.Fatal(err)
		}
		if bytes, _ := b.Used(); bytes != c.want {
			t.Errorf("packed %t: %d bytes are in use, want %d", c.packed, bytes, c.want)
		}
		memory.Release()
	}
}
