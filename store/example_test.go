package store_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"marcador/store"
)

// openExample opens a new database in a folder of its own. done closes it and removes the folder.
func openExample(ctx context.Context) (s *store.Store, path string, done func()) {
	schema, err := os.ReadFile("../schema.sql")
	if err != nil {
		panic(err)
	}
	folder, err := os.MkdirTemp("", "example")
	if err != nil {
		panic(err)
	}
	path = filepath.Join(folder, "marcador.db")
	s, err = store.Open(ctx, path, store.Options{Schema: string(schema)})
	if err != nil {
		panic(err)
	}
	return s, path, func() {
		if err := errors.Join(s.Close(), os.RemoveAll(folder)); err != nil {
			panic(err)
		}
	}
}

// A program opens a database, enrols users, gives points and reads totals.
func Example() {
	ctx := context.Background()
	s, _, done := openExample(ctx)
	defer done()

	_, err := s.PutProfiles(ctx, []store.Profile{
		{ID: "ana", Username: "Ana", Groups: map[string][]string{"school": {"42"}}},
		{ID: "leo", Username: "Leo"},
	})
	if err != nil {
		panic(err)
	}
	points, err := s.AddPoints(ctx, []store.Write{{Updates: []store.Update{
		{UserID: "ana", XP: 50, Reason: "exercise 7"},
		{UserID: "leo", XP: 20, MLCoins: 3},
		{UserID: "ana", XP: -5, Reason: "a correction"},
	}}})
	if err != nil {
		panic(err)
	}
	for _, p := range points {
		fmt.Printf("change %d gave %s %d points\n", p.Seq, p.UserID, p.XP)
	}
	ana, err := s.User(ctx, "ana")
	if err != nil {
		panic(err)
	}
	fmt.Printf("%s has %d points and is in %v\n", ana.Username, ana.XP, ana.Groups)
	// Output:
	// change 3 gave ana 50 points
	// change 4 gave leo 20 points
	// change 5 gave ana -5 points
	// Ana has 45 points and is in map[school:[42]]
}

// A refused write changes nothing. The error says why and which update is at fault.
func ExampleStore_AddPoints_refused() {
	ctx := context.Background()
	s, _, done := openExample(ctx)
	defer done()
	if _, err := s.PutProfiles(ctx, []store.Profile{{ID: "ana", Username: "Ana"}}); err != nil {
		panic(err)
	}

	_, err := s.AddPoints(ctx, []store.Write{{Updates: []store.Update{
		{UserID: "ana", XP: 10},
		{UserID: "ana", XP: -11},
	}}})
	if refusal, ok := errors.AsType[*store.Error](err); ok {
		fmt.Printf("update %d, %s: %s\n", refusal.Index, refusal.Code, refusal.Message)
	}
	// Output:
	// update 1, negative_total: -11 would take the total of 10 below 0; take at most 10
}

// A write with an idempotency key can be repeated: it counts once.
func ExampleStore_AddPoints_repeated() {
	ctx := context.Background()
	s, _, done := openExample(ctx)
	defer done()
	if _, err := s.PutProfiles(ctx, []store.Profile{{ID: "ana", Username: "Ana"}}); err != nil {
		panic(err)
	}

	write := store.Write{Caller: "maths", Key: "week-1", Updates: []store.Update{{UserID: "ana", XP: 10}}}
	for range 2 {
		points, err := s.AddPoints(ctx, []store.Write{write})
		if err != nil {
			panic(err)
		}
		fmt.Printf("change %d, ana has %d points\n", points[0].Seq, points[0].XPAfter)
	}
	// Output:
	// change 2, ana has 10 points
	// change 2, ana has 10 points
}

// A backup is made while the database is in use, and can be opened like any other database.
func ExampleBackup() {
	ctx := context.Background()
	s, path, done := openExample(ctx)
	defer done()
	if _, err := s.PutProfiles(ctx, []store.Profile{{ID: "ana", Username: "Ana"}}); err != nil {
		panic(err)
	}

	to := path + ".backup"
	contents, err := store.Backup(ctx, path, to)
	if err != nil {
		panic(err)
	}
	fmt.Printf("%d user, change %d\n", contents.Users, contents.Seq)
	c, err := store.Open(ctx, to, store.Options{})
	if err != nil {
		panic(err)
	}
	fmt.Println("same database:", c.Epoch() == s.Epoch())
	if err := c.Close(); err != nil {
		panic(err)
	}
	// Output:
	// 1 user, change 1
	// same database: true
}
