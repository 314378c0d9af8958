package command

import (
	"context"
	"fmt"
	"time"

	"marcador/store"
)

// redateCommand corrects the times in a database that was written while the clock was ahead.
type redateCommand struct {
	DB string `default:"marcador.db" name:"db" help:"SQLite file. No service may be running on it. The former file gets another name."`
	At string `help:"Time (RFC 3339), not in the future. All later times in the database become this time. Default: now."`
}

// Run implements the command.
func (c *redateCommand) Run(ctx context.Context, out output) error {
	to := time.Now()
	if c.At != "" {
		at, err := time.Parse(time.RFC3339, c.At)
		if err != nil {
			return fmt.Errorf("--at %q is not a time; give one such as 2026-11-28T18:30:00Z (RFC 3339)", c.At)
		}
		if at.After(to) {
			return fmt.Errorf("--at %s lies in the future; give a time that is past, or none for now", c.At)
		}
		to = at
	}
	r, former, err := store.Redate(ctx, c.DB, to)
	if err != nil {
		return fmt.Errorf("redate: %w", err)
	}
	_, err = fmt.Fprintf(out.stdout, "redated: %d ledger rows that were later than %s, and %d closed periods were opened again\nthe former database is now %s\n",
		r.Rows, to.UTC().Format(store.TimeFormat), r.Closings, former)
	return err
}
