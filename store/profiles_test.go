package store_test

import (
	"maps"
	"path/filepath"
	"slices"
	"testing"

	"marcador/internal/profile"
	"marcador/store"
)

// ana is a profile with every field set.
var ana = store.Profile{
	ID: "ana", Username: "Ana", Avatar: "https://x", Email: "a@b.c", Pseudonym: "Jaguar", Hidden: true,
	Groups: map[string][]string{"school": {"42"}, "classroom": {"7a", "7b"}},
}

func TestStore_PatchProfiles(t *testing.T) {
	for name, c := range map[string]struct {
		patch profile.Patch
		want  func(*store.Profile)
	}{
		"nothing": {profile.Patch{}, func(*store.Profile) {}},
		"a name":  {profile.Patch{Username: profile.Given("Anna")}, func(p *store.Profile) { p.Username = "Anna" }},
		"texts are removed": {
			profile.Patch{Avatar: profile.Given(""), Email: profile.Given(""), Pseudonym: profile.Given("")},
			func(p *store.Profile) { p.Avatar, p.Email, p.Pseudonym = "", "", "" },
		},
		"shown again": {profile.Patch{Hidden: profile.Given(false)}, func(p *store.Profile) { p.Hidden = false }},
		"one kind is replaced": {
			profile.Patch{Groups: profile.Given(map[string][]string{"classroom": {"8a"}})},
			func(p *store.Profile) { p.Groups = map[string][]string{"school": {"42"}, "classroom": {"8a"}} },
		},
		"one kind is removed": {
			profile.Patch{Groups: profile.Given(map[string][]string{"classroom": nil})},
			func(p *store.Profile) { p.Groups = map[string][]string{"school": {"42"}} },
		},
		"one kind comes": {
			profile.Patch{Groups: profile.Given(map[string][]string{"club": {"chess", "chess"}})},
			func(p *store.Profile) {
				p.Groups = map[string][]string{"school": {"42"}, "classroom": {"7a", "7b"}, "club": {"chess"}}
			},
		},
		"all kinds are removed": {
			profile.Patch{Groups: profile.Given(map[string][]string(nil))},
			func(p *store.Profile) { p.Groups = map[string][]string{} },
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, filepath.Join(t.TempDir(), "m.db"), store.Options{})
			if _, err := s.PutProfiles(t.Context(), []store.Profile{ana}); err != nil {
				t.Fatal(err)
			}
			created, err := s.PatchProfiles(t.Context(), []store.Patch{{ID: "ana", Patch: c.patch}})
			if err != nil || created[0] {
				t.Fatalf("PatchProfiles() = %v, %v", created, err)
			}
			want := ana
			c.want(&want)
			wantProfile(t, s, want)
		})
	}
}

func wantProfile(t *testing.T, s *store.Store, want store.Profile) {
	t.Helper()
	u, err := s.User(t.Context(), want.ID)
	if err != nil {
		t.Fatal(err)
	}
	got := u.Profile
	if !maps.EqualFunc(got.Groups, want.Groups, slices.Equal) {
		t.Errorf("groups = %v, want %v", got.Groups, want.Groups)
	}
	if got.Username != want.Username || got.Avatar != want.Avatar || got.Email != want.Email || got.Pseudonym != want.Pseudonym || got.Hidden != want.Hidden {
		t.Errorf("profile = %+v, want %+v", got, want)
	}
}

// A new user needs a username, and gets the fields that the patch has.
func TestStore_PatchProfiles_new(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "m.db"), store.Options{})
	leo := store.Patch{ID: "leo", Patch: profile.Patch{Username: profile.Given("Leo"), Groups: profile.Given(map[string][]string{"school": {"42"}})}}
	nameless := store.Patch{ID: "eva", Patch: profile.Patch{Hidden: profile.Given(true)}}
	_, err := s.PatchProfiles(t.Context(), []store.Patch{leo, nameless})
	wantCode(t, err, store.Invalid, 1)
	if s.Seq() != 0 {
		t.Errorf("seq = %d after a refusal", s.Seq())
	}
	// A batch may create a user with one patch and change the same user with the next.
	created, err := s.PatchProfiles(t.Context(), []store.Patch{leo, {ID: "leo", Patch: profile.Patch{Hidden: profile.Given(true)}}})
	if err != nil || !slices.Equal(created, []bool{true, false}) {
		t.Fatalf("PatchProfiles() = %v, %v", created, err)
	}
	wantProfile(t, s, store.Profile{ID: "leo", Username: "Leo", Hidden: true, Groups: map[string][]string{"school": {"42"}}})
	wantCode(t, s.PatchProfile(t.Context(), store.Patch{ID: "nobody", Patch: leo.Patch}), store.UserNotFound, 0)
}

// A patch is refused if the user would be in groups of more kinds than a profile may have.
func TestStore_PatchProfiles_kinds(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "m.db"), store.Options{})
	if _, err := s.PutProfiles(t.Context(), []store.Profile{ana}); err != nil {
		t.Fatal(err)
	}
	kinds := map[string][]string{}
	for kind := range 19 {
		kinds["k"+string(rune('a'+kind))] = []string{"1"}
	}
	p := store.Patch{ID: "ana", Patch: profile.Patch{Groups: profile.Given(kinds)}}
	_, err := s.PatchProfiles(t.Context(), []store.Patch{p})
	wantCode(t, err, store.Invalid, 0)
	wantProfile(t, s, ana)
	kinds["school"] = nil
	if _, err := s.PatchProfiles(t.Context(), []store.Patch{p}); err != nil {
		t.Error(err)
	}
}

// Profiles that change nothing take no seq, so no client is sent anything.
func TestStore_PutProfiles_same(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "m.db"), store.Options{})
	for range 2 {
		if _, err := s.PutProfiles(t.Context(), []store.Profile{ana}); err != nil {
			t.Fatal(err)
		}
	}
	if s.Seq() != 1 {
		t.Errorf("seq = %d, want 1", s.Seq())
	}
}
