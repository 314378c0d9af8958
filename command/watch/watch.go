// Package watch follows a board in the terminal. Two parts talk to each other through a channel: a
// feed that connects to the service, and an output that shows what the feed hears, on a screen or
// as lines of JSON.
package watch

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"time"

	"golang.org/x/term"
)

// Options says which board to follow and how to show it.
type Options struct {
	URL    *url.URL // address of the service
	Board  string
	Period string
	Rows   int    // rows to show at most
	Token  string // or empty

	// Stdout gets the table, redrawn for each update, if it is a terminal, and otherwise a line of
	// JSON for each update. Stderr then gets the messages about the connection.
	Stdout, Stderr io.Writer

	Colour bool // whether the terminal shows colours
}

// entry is a row as the service sends it.
type entry struct {
	Rank       int    `json:"rank"`
	UserID     string `json:"userId"`
	Username   string `json:"username"`
	RankBadge  string `json:"rankBadge"`
	Score      int64  `json:"score"`
	XP         int64  `json:"xp"`
	Change     int    `json:"change"`
	ChangeType string `json:"changeType"`
}

// update is the data of leaderboard:updated.
type update struct {
	Board        string    `json:"board"`
	Period       string    `json:"period"`
	Version      int64     `json:"version"`
	Timestamp    time.Time `json:"timestamp"`
	TotalEntries int       `json:"totalEntries"`
	Entries      []entry   `json:"leaderboard"`
}

// news is a message from the feed. One field is set.
type news struct {
	hello  *hello
	board  *update
	rank   *rankChange
	status string // why the board is not live
}

// hello is the data of authenticated.
type hello struct {
	UserID *string `json:"userId"`
}

// rankChange is the data of rank_changed.
type rankChange struct {
	OldRank *int `json:"oldRank"`
	NewRank *int `json:"newRank"`
}

// Run follows the board until ctx is done, and connects again whenever the connection breaks. It
// returns an error only if trying again would not help. The error names the flag to change.
func Run(ctx context.Context, o Options) error {
	ctx, cancel := context.WithCancel(ctx)
	f := newFeed(o)
	heard := make(chan news)
	over := make(chan error, 1)
	go func() { over <- f.run(ctx, heard) }()
	defer cancel()
	var out output = &lines{o: o}
	if file, is := o.Stdout.(*os.File); is && term.IsTerminal(int(file.Fd())) {
		s := newScreen(o, file)
		defer s.close()
		out = s
	}
	second := time.NewTicker(time.Second) // the screen shows times, and its size may change
	defer second.Stop()
	for {
		select {
		case err := <-over:
			if ctx.Err() != nil {
				return nil // the user ended it
			}
			return err
		case n := <-heard:
			if err := out.hear(n); err != nil {
				cancel()
				<-over //nolint:errcheck // the first error counts
				return fmt.Errorf("write the update: %w", err)
			}
		case <-second.C:
			out.tick()
		}
	}
}

// output shows updates. Only Run's goroutine uses it.
type output interface {
	hear(news) error
	tick()
}

// lines is the output that writes each update as a line of JSON.
type lines struct{ o Options }

func (l *lines) hear(n news) error {
	switch {
	case n.board != nil:
		n.board.Entries = n.board.Entries[:min(len(n.board.Entries), l.o.Rows)]
		return json.NewEncoder(l.o.Stdout).Encode(n.board)
	case n.status != "":
		_, err := fmt.Fprintln(l.o.Stderr, "marcador: "+plain(n.status))
		return err
	}
	return nil
}

func (l *lines) tick() {}
