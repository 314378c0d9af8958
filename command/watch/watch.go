// Package watch follows a board in the terminal.
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

// Options says what is followed, and where it is shown.
type Options struct {
	URL    *url.URL // of the service
	Board  string
	Period string
	Rows   int    // how many are shown at most
	Token  string // empty for none

	// Stdout gets the table, drawn again and again, where it is a terminal, and else a
	// line of JSON for each update. Stderr gets what is said beside those.
	Stdout, Stderr io.Writer

	Colour bool // whether the terminal may be sent colours
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

// news is what the connection has to say; one field is set.
type news struct {
	hello  *hello
	board  *update
	rank   *rankChange
	status string // it is not live, and why
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

// Run follows the board until ctx is done, and comes back whenever the connection
// breaks. An error is one that does not go away by itself, and names the flag to change.
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
	second := time.NewTicker(time.Second) // what is said of time, and the terminal's size
	defer second.Stop()
	for {
		select {
		case err := <-over:
			if ctx.Err() != nil {
				return nil // it was asked to end
			}
			return err
		case n := <-heard:
			if err := out.hear(n); err != nil {
				cancel()
				<-over //nolint:errcheck // the first one counts
				return fmt.Errorf("write the update: %w", err)
			}
		case <-second.C:
			out.tick()
		}
	}
}

// output is where updates go. It belongs to Run's goroutine.
type output interface {
	hear(news) error
	tick()
}

// lines writes each update as a line of JSON.
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
