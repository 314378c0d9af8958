package live_test

import (
	"fmt"
	"testing"

	"marcador/internal/profile"
	"marcador/live"
	"marcador/store"
)

// rosterOf returns n new profiles. Their numbers begin at from. A school has 1,000 of them, and a
// classroom has 30.
func rosterOf(from, n int) []store.Patch {
	patches := make([]store.Patch, n)
	for i := range patches {
		number := from + i
		patches[i] = store.Patch{ID: fmt.Sprintf("new-%d", number), Patch: profile.Patch{
			Username: profile.Given("Ana"),
			Groups:   profile.Given(map[string][]string{"school": {fmt.Sprint(number / 1000)}, "classroom": {fmt.Sprint(number / 30)}}),
		}}
	}
	return patches
}

// An upload of profiles is answered without loading a board, whatever groups it names.
func TestService_Users_loadsNoBoard(t *testing.T) {
	inBubble(t, live.Options{}, func(t *testing.T, f *fixture) {
		var ids []string
		roster := rosterOf(0, 100)
		for _, p := range roster {
			ids = append(ids, p.ID)
		}
		if _, err := f.PatchProfiles(t.Context(), roster); err != nil {
			t.Fatal(err)
		}
		users, err := f.Users(t.Context(), append(ids, "nobody"))
		if err != nil || len(users) != len(roster) {
			t.Fatalf("Users() = %d, %v", len(users), err)
		}
		for i, u := range users {
			if u.ID != ids[i] || u.RankBadge != "Ajaw" || len(u.Groups) != 2 || u.Ranks != nil {
				t.Errorf("user %d = %+v", i, u)
			}
		}
		if got := live.Loaded(f.Service); got != 1 {
			t.Errorf("%d boards are loaded, want only the global one", got)
		}
	})
}

// BenchmarkService_PatchProfiles uploads 1,000 new profiles.
func BenchmarkService_PatchProfiles(b *testing.B) {
	s := filled(b, 1000)
	b.ReportAllocs()
	for round := 0; b.Loop(); round++ {
		if _, err := s.PatchProfiles(b.Context(), rosterOf(round*1000, 1000)); err != nil {
			b.Fatal(err)
		}
	}
}
