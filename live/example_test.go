package live_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"marcador/live"
	"marcador/store"
)

// A program opens a service, gives points, reads a page of a group, and follows its board.
func Example() {
	ctx := context.Background()
	s, done := openExample(ctx)
	defer done()

	school := map[string][]string{"school": {"42"}}
	_, err := s.PutProfiles(ctx, []store.Profile{
		{ID: "ana", Username: "Ana", Groups: school}, {ID: "leo", Username: "Leo", Groups: school},
	})
	if err != nil {
		panic(err)
	}
	results, err := s.AddPoints(ctx, []store.Write{{Updates: []store.Update{
		{UserID: "ana", XP: 50}, {UserID: "leo", XP: 70},
	}}})
	if err != nil {
		panic(err)
	}
	for _, r := range results {
		fmt.Printf("%s moves from rank %d to rank %d\n", r.UserID, r.OldRank, r.NewRank)
	}

	body, err := s.Page(ctx, live.Query{Board: "school:42", Period: store.Weekly, Limit: 10, Caller: "ana"})
	if err != nil {
		panic(err)
	}
	var page live.PageBody
	if err := json.Unmarshal(body, &page); err != nil {
		panic(err)
	}
	for _, e := range page.Entries {
		fmt.Printf("%d. %s with %d points\n", e.Rank, e.Username, e.Score)
	}
	fmt.Printf("Ana needs %d points for the next rank\n", *page.Me.PointsToNext)

	// An sse.Server writes the stream, and calls Leave when it ends.
	follow, err := s.Follow(ctx, live.Follow{Board: "school:42", Period: store.Weekly, Seen: -1})
	if err != nil {
		panic(err)
	}
	defer follow.Leave()
	fmt.Println("a stream begins with the event", follow.From.Content().Snapshot().Name)
	// Output:
	// ana moves from rank 1 to rank 1
	// leo moves from rank 2 to rank 1
	// 1. Leo with 70 points
	// 2. Ana with 50 points
	// Ana needs 21 points for the next rank
	// a stream begins with the event leaderboard:updated
}

// openExample opens a new database in a folder of its own. done closes it and removes the folder.
func openExample(ctx context.Context) (s *live.Service, done func()) {
	schema, err := os.ReadFile("../schema.sql")
	if err != nil {
		panic(err)
	}
	folder, err := os.MkdirTemp("", "example")
	if err != nil {
		panic(err)
	}
	s, err = live.Open(ctx, filepath.Join(folder, "marcador.db"), live.Options{Schema: string(schema)})
	if err != nil {
		panic(err)
	}
	return s, func() {
		if err := errors.Join(s.Close(), os.RemoveAll(folder)); err != nil {
			panic(err)
		}
	}
}
