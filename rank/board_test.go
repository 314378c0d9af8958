package rank_test

import (
	"math/rand/v2"
	"testing"

	"marcador/rank"
)

// A board of several groups of full-sized blocks stays consistent through long use.
func TestBoard_large(t *testing.T) {
	const users = 40_000
	for name, numbering := range map[string]rank.Numbering{"ordinal": rank.Ordinal, "dense": rank.Dense} {
		t.Run(name, func(t *testing.T) {
			c := newContest(users, rank.Options{Numbering: numbering})
			check := func(what string) {
				t.Helper()
				if err := c.board.CheckInvariants(); err != nil {
					t.Fatalf("%s: %v", what, err)
				}
			}
			check("loaded")
			for range 3 * users {
				c.move()
			}
			check("moved")
			if got := c.board.Fill(); got < 0.7 {
				t.Errorf("blocks are filled to %.2f", got)
			}
			gone := rand.New(rand.NewPCG(5, 6)).Perm(users)[:users-50]
			for i, user := range gone {
				if before, _ := c.board.Put(uint32(user), int64(i%100), 0); before == 0 {
					t.Fatalf("user %d was not there", user)
				}
			}
			check("all low")
			c.board.StartOver()
			check("started over")
			for user := range uint32(users) {
				c.board.Put(user, int64(user), 1)
			}
			check("climbed")
			c.board.Load(nil, nil)
			for user := range uint32(users) {
				c.board.Put(user, int64(user/3), 1)
			}
			check("filled one by one")
			for user := range uint32(users - 10) {
				c.board.Hide(user)
			}
			check("hidden")
			for user := range uint32(100) {
				c.board.Show(user)
			}
			check("shown")
			if got := c.board.Len(); got != 110 {
				t.Errorf("Len() = %d, want 110", got)
			}
		})
	}
}

func TestEntry_Change(t *testing.T) {
	for name, c := range map[string]struct {
		entry     rank.Entry
		places    int
		direction string
	}{
		"up":   {rank.Entry{Rank: 3, Before: 5}, 2, "up"},
		"down": {rank.Entry{Rank: 5, Before: 3}, 2, "down"},
		"same": {rank.Entry{Rank: 5, Before: 5}, 0, "same"},
		"new":  {rank.Entry{Rank: 5}, 0, "new"},
	} {
		if places, direction := c.entry.Change(); places != c.places || direction != c.direction {
			t.Errorf("%s: Change() = %d, %s, want %d, %s", name, places, direction, c.places, c.direction)
		}
	}
}
