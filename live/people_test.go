package live_test

import (
	"testing"

	"pgregory.net/rapid"

	"marcador/live"
)

// After any sequence of users who come and go, the index of ids finds the same numbers as a map.
func TestIDIndex_model(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		people := live.NewPeople()
		model := map[string]uint32{}
		next := uint32(1)
		id := rapid.StringMatching("[ab]{1,5}")
		t.Repeat(map[string]func(*rapid.T){
			"know": func(t *rapid.T) {
				id := id.Draw(t, "id")
				_, known := model[id]
				if got := people.Know(next, id); got == known {
					t.Fatalf("Know(%q) = %v", id, got)
				}
				if !known {
					model[id] = next
				}
				next++
			},
			"forget": func(t *rapid.T) {
				id := id.Draw(t, "id")
				if number, known := model[id]; known {
					people.Forget(number)
					delete(model, id)
				}
			},
			"": func(t *rapid.T) {
				for _, id := range []string{"a", "b", "ab", id.Draw(t, "id")} {
					want, known := model[id]
					if got, ok := people.Number(id); ok != known || got != want {
						t.Fatalf("Number(%q) = %d, %v, want %d, %v", id, got, ok, want, known)
					}
				}
				for id, number := range model {
					if got, ok := people.Number(id); !ok || got != number {
						t.Fatalf("Number(%q) = %d, %v, want %d", id, got, ok, number)
					}
				}
			},
		})
	})
}
