package command

import (
	"context"
	"fmt"
	"net/url"
	"os"

	"marcador/command/watch"
	"marcador/live"
)

// watchCommand follows a board.
type watchCommand struct {
	URL    string `default:"http://127.0.0.1:8080" name:"url" help:"Address of the service."`
	Board  string `default:"global" help:"Board to follow: global, the board of a group such as classroom:7a, or friends: and a user's id."`
	Period string `default:"all-time" enum:"daily,weekly,monthly,all-time" help:"Period in which points count: ${enum}."`
	Rows   int    `default:"10" help:"Rows to show, 1 to 1000."`
	Token  string `help:"Token, for a board that is not public. Safer in the environment than on the command line."`
}

// Run implements the command.
func (c *watchCommand) Run(ctx context.Context, out output) error {
	at, err := url.Parse(c.URL)
	if err != nil || at.Scheme != "http" && at.Scheme != "https" || at.Host == "" || at.RawQuery != "" || at.Fragment != "" {
		return fmt.Errorf("--url %q is not the address of a service; give an address such as http://127.0.0.1:8080", c.URL)
	}
	if c.Rows < 1 || c.Rows > 1000 {
		return fmt.Errorf("--rows %d is not from 1 to 1000", c.Rows)
	}
	if _, ok := live.KindOf(c.Board); !ok {
		return fmt.Errorf("--board %q is not a board; give global, a group such as classroom:7a, or friends: and a user's id", c.Board)
	}
	return watch.Run(ctx, watch.Options{
		URL: at, Board: c.Board, Period: c.Period, Rows: c.Rows, Token: c.Token,
		Stdout: out.stdout, Stderr: out.stderr,
		Colour: os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb",
	})
}
