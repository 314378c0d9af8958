package live_test

import (
	"cmp"
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"marcador/live"
	"marcador/rank"
)

// Where ranks are shared a difference leads to the page too, order included: take out
// the rows of all changes, put each behind those of its rank or a better one.
func TestPage_Since_sharedRanks(t *testing.T) {
	for _, numbering := range []rank.Numbering{rank.Ordinal, rank.Competition, rank.Dense} {
		t.Run(numbering.String(), func(t *testing.T) {
			f := &fixture{t: t, path: t.TempDir() + "/m.db", log: &logBuffer{}}
			f.open(live.Options{Ranks: numbering, Top: 6})
			defer f.close()
			ids := strings.Split("abcdefgh", "")
			f.put(ids...)
			seed := rand.Uint64()
			random := rand.New(rand.NewPCG(seed, 0))
			t.Logf("seed %d", seed)
			before := live.Snapshot(t, f.Service)
			for range 150 {
				for range 1 + random.IntN(3) {
					who := ids[random.IntN(len(ids))]
					switch random.IntN(8) {
					case 0:
						f.hide(who, true)
					case 1:
						f.hide(who, false) // comes with what was reached long ago
					default:
						_, _ = f.AddPoints(t.Context(), []live.Write{{Updates: []live.Update{{UserID: who, XP: int64(random.IntN(4) - 1)}}}})
					}
				}
				now := live.Snapshot(t, f.Service)
				got, want := applied(t, rows(t, before), now.Since(before)), rows(t, now)
				if !slices.Equal(got, want) {
					t.Fatalf("from\n%+v\nby %s\ngot\n%+v\nwant\n%+v", rows(t, before), now.Since(before), got, want)
				}
				before = now
			}
		})
	}
}

func rows(t *testing.T, s live.Shown) []live.Entry {
	t.Helper()
	var e struct{ Leaderboard []live.Entry }
	if err := json.Unmarshal(s.Whole(), &e); err != nil {
		t.Fatal(err)
	}
	return e.Leaderboard
}

func applied(t *testing.T, held []live.Entry, difference []byte) []live.Entry {
	t.Helper()
	var e struct {
		Changes []struct {
			UserID  string
			NewRank *int
			Entry   *live.Entry
		}
	}
	if err := json.Unmarshal(difference, &e); err != nil {
		t.Fatal(err)
	}
	held = slices.Clone(held)
	var back []live.Entry
	for _, c := range e.Changes {
		i := slices.IndexFunc(held, func(r live.Entry) bool { return r.UserID == c.UserID })
		if i >= 0 && c.NewRank != nil {
			moved := held[i]
			moved.Rank = *c.NewRank
			if c.Entry == nil {
				c.Entry = &moved
			}
		}
		if i >= 0 {
			held = slices.Delete(held, i, i+1)
		}
		if c.Entry != nil {
			back = append(back, *c.Entry)
		}
	}
	for _, r := range back {
		i := slices.IndexFunc(held, func(other live.Entry) bool { return cmp.Compare(other.Rank, r.Rank) > 0 })
		if i < 0 {
			i = len(held)
		}
		held = slices.Insert(held, i, r)
	}
	return held
}
