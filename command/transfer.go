package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"marcador/command/transfer"
	"marcador/internal/atomicfile"
	"marcador/store"
)

// fileFormat says which format a file has.
type fileFormat struct {
	Format string `default:"auto" enum:"auto,jsonl,csv" help:"Format of the file: ${enum}. auto goes by the name of the file, then by its content."`
}

// of returns the format of the file with the name, or "" if the name does not tell.
func (f fileFormat) of(name string) string {
	switch {
	case f.Format != "auto":
		return f.Format
	case strings.EqualFold(filepath.Ext(name), ".csv"):
		return transfer.CSV
	case strings.EqualFold(filepath.Ext(name), ".jsonl"), strings.EqualFold(filepath.Ext(name), ".ndjson"):
		return transfer.JSONL
	}
	return ""
}

// exportCommand writes the contents of a database to a file.
type exportCommand struct {
	File string `arg:"" optional:"" default:"-" help:"File to create, or - for the standard output."`
	DB   string `default:"marcador.db" name:"db" help:"SQLite file. A service may be running on it."`

	fileFormat
}

// Run implements the command.
func (c *exportCommand) Run(ctx context.Context, out output) (err error) {
	s, err := store.OpenSnapshot(ctx, c.DB)
	if err != nil {
		return fmt.Errorf("export: %w", err)
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	progress := &progress{to: out.stderr, began: time.Now()}
	if c.File == "-" {
		if _, err := transfer.Export(ctx, s, out.stdout, c.of(c.File), progress.say); err != nil {
			return fmt.Errorf("export: %w", err)
		}
		return nil
	}
	counts, err := exportTo(ctx, s, c.File, c.of(c.File), progress.say)
	if err != nil {
		return fmt.Errorf("export: %w", err)
	}
	fmt.Fprintf(out.stdout, "exported: %s\n", count(counts))
	return nil
}

// exportTo writes the file. The file gets its name only when it is complete.
func exportTo(ctx context.Context, s *store.Snapshot, path, format string, say func(transfer.Counts)) (c transfer.Counts, err error) {
	if err := atomicfile.Vacant(path); err != nil {
		return c, err
	}
	part, err := atomicfile.Begin(path)
	if err != nil {
		return c, err
	}
	defer func() { err = errors.Join(err, part.Discard()) }()
	f, err := os.OpenFile(part.Path(), os.O_WRONLY, 0)
	if err != nil {
		return c, err
	}
	c, err = transfer.Export(ctx, s, f, format, say)
	if err = errors.Join(err, f.Close()); err != nil {
		return c, err
	}
	return c, part.Create(path)
}

// importCommand reads a file into a database.
type importCommand struct {
	File     string `arg:"" optional:"" default:"-" help:"File of users, points and more, or - for the standard input."`
	DB       string `default:"marcador.db" name:"db" help:"SQLite file. It is created if it is missing. No service may be running on it."`
	Timezone string `help:"Time zone in which days begin: an IANA name, the same as for the service. Without it, the zone of the database, or UTC."`

	fileFormat
}

// Run implements the command.
func (c *importCommand) Run(ctx context.Context, out output) (err error) {
	if err := store.Free(ctx, c.DB); err != nil {
		return fmt.Errorf("import: %w", err)
	}
	location, err := c.location(ctx)
	if err != nil {
		return fmt.Errorf("import: %w", err)
	}
	in, name := io.Reader(os.Stdin), "the standard input"
	if c.File != "-" {
		f, err := os.Open(c.File)
		if err != nil {
			return fmt.Errorf("import: %w", err)
		}
		defer func() { _ = f.Close() }() // the file was only read
		in, name = f, strconv.Quote(c.File)
	}
	s, err := store.Open(ctx, c.DB, store.Options{Schema: out.Schema, Location: location, Bulk: true})
	if err != nil {
		return fmt.Errorf("import: %w", err)
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	progress := &progress{to: out.stderr, began: time.Now()}
	counts, err := transfer.Import(ctx, s, in, transfer.Options{
		Format: c.of(c.File), Folder: filepath.Dir(c.DB),
		Progress: func(counts transfer.Counts, written bool) {
			if progress.doing = "checked"; written {
				progress.doing = "imported"
			}
			progress.say(counts)
		},
		Notice: func(what string) { fmt.Fprintf(out.stderr, "%s %s\n", name, what) },
	})
	if err != nil {
		listFaults(out.stderr, err)
		return fmt.Errorf("import %s: %w%s", name, err, outcome(err, counts))
	}
	fmt.Fprintf(out.stdout, "imported: %s\n", count(counts))
	return nil
}

// listFaults writes each fault of the file on a line of its own, if the error has several.
func listFaults(w io.Writer, err error) {
	faults, ok := errors.AsType[*transfer.Faults](err)
	if !ok {
		return
	}
	for _, fault := range faults.Named {
		fmt.Fprintln(w, fault)
	}
	if faults.More > 0 {
		fmt.Fprintf(w, "and %d more\n", faults.More)
	}
}

// outcome says what a failed import leaves in the database.
func outcome(err error, counts transfer.Counts) string {
	if counts.All() > 0 {
		return fmt.Sprintf(" (what was imported stays: %s; import the same file again to go on from there)", count(counts))
	}
	if _, isFault := errors.AsType[*transfer.InputError](err); isFault {
		return "; nothing was imported"
	}
	return ""
}

// location returns the time zone in which periods begin.
func (c *importCommand) location(ctx context.Context) (*time.Location, error) {
	zone, err := store.Zone(ctx, c.DB)
	if err != nil {
		return nil, err
	}
	if c.Timezone != "" {
		zone = c.Timezone
	}
	location, err := time.LoadLocation(zone)
	if err != nil {
		return nil, fmt.Errorf("--timezone %q is not known; give an IANA name such as America/Merida or UTC", zone)
	}
	return location, nil
}

// progress reports how many records were handled, once a second, beginning after the first second.
type progress struct {
	to          io.Writer
	doing       string // "checked" or "imported"; empty for an export
	began, said time.Time
}

func (p *progress) say(c transfer.Counts) {
	now := time.Now()
	if now.Sub(p.began) < time.Second || now.Sub(p.said) < time.Second {
		return
	}
	p.said = now
	records := "records"
	if p.doing != "" {
		records = "records " + p.doing
	}
	fmt.Fprintf(p.to, "%d %s, %.0f a second\n", c.All(), records, float64(c.All())/now.Sub(p.began).Seconds())
}

func count(c transfer.Counts) string {
	list := fmt.Sprintf("%d users, %d friendships, %d limits, %d badges, %d points", c.Users, c.Friendships, c.Limits, c.Badges, c.Points)
	if c.Already > 0 {
		list += fmt.Sprintf(", and %d points that were there already", c.Already)
	}
	return list
}
