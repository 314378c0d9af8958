package command

import (
	"context"
	"fmt"

	"marcador/store"
)

// backupCommand copies a database, which may be in use.
type backupCommand struct {
	File string `arg:"" help:"New file for the copy. Its folder must exist."`
	DB   string `default:"marcador.db" name:"db" help:"SQLite file. A service may be running on it."`
}

// Run implements the command.
func (c *backupCommand) Run(ctx context.Context, out output) error {
	contents, err := store.Backup(ctx, c.DB, c.File)
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	_, err = fmt.Fprintf(out.stdout, "copied and checked: %s\n", describe(contents))
	return err
}

// restoreCommand replaces a database by a copy.
type restoreCommand struct {
	File string `arg:"" help:"Copy that marcador backup made."`
	DB   string `default:"marcador.db" name:"db" help:"SQLite file to replace. No service may be running on it. The former file gets another name."`
}

// Run implements the command.
func (c *restoreCommand) Run(ctx context.Context, out output) error {
	contents, former, err := store.Restore(ctx, c.File, c.DB)
	if err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	fmt.Fprintf(out.stdout, "checked and restored: %s\n", describe(contents))
	if former != "" {
		fmt.Fprintf(out.stdout, "the former database is now %s\n", former)
	}
	return nil
}

// describe returns one line about a copy.
func describe(c store.Contents) string {
	return fmt.Sprintf("%d users, %d ledger rows, seq %d of %s, %d bytes",
		c.Users, c.Rows, c.Seq, c.At.Format("2006-01-02 15:04:05Z07:00"), c.Bytes)
}
