package live_test

import (
	"testing"
	"time"

	"marcador/live"
	"marcador/rank"
	"marcador/store"
)

// A version stands for one state of a board. So a start with an option that has boards show the
// same data another way gives them a new version. A start with the same options does not.
func TestService_Open_otherDisplay(t *testing.T) {
	merida, err := time.LoadLocation("America/Merida")
	if err != nil {
		t.Fatal(err)
	}
	inBubble(t, live.Options{Throttle: -1}, func(t *testing.T, f *fixture) {
		f.put("u1", "u2")
		f.give("u1", 10)
		opts := live.Options{Throttle: -1}
		version := f.page(0, 1, "").Version
		for name, change := range map[string]func(){
			"the same":  func() {},
			"time zone": func() { opts.Location = merida },
			"baseline":  func() { opts.Baseline = store.Weekly },
			"ranks":     func() { opts.Ranks = rank.Dense },
			"friends":   func() { opts.Friends = store.FriendsOpen },
		} {
			change()
			f.close()
			f.open(opts)
			now := f.page(0, 1, "").Version
			if moved := now > version; moved != (name != "the same") || now < version {
				t.Errorf("%s: version %d after %d", name, now, version)
			}
			version = now
		}
	})
}
