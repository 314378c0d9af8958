// Package command is the command line of marcador. Each command has a file of its own; folders
// beneath have what one command alone needs.
//
//	main ─ Main ─ Program.Run ─ kong reads flags and environment ─ serveCommand.Run, …
//
// Flags that several commands share are structs that the commands embed, such as logFlags. A method
// beside each struct checks its flags and turns them into options.
package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	_ "time/tzdata" // for machines without time zone files

	"github.com/alecthomas/kong"
)

// Program is what main knows about the program that was built.
type Program struct {
	Schema  string // the text of schema.sql
	Version string
}

// cli is the command line. Each flag also has an environment variable: MARCADOR_ and the flag's
// name in capitals.
type cli struct {
	Serve   serveCommand   `cmd:"" help:"Run the service."`
	Backup  backupCommand  `cmd:"" help:"Copy a database, which may be in use, into a new file, and check the copy."`
	Restore restoreCommand `cmd:"" help:"Replace a database that is not in use by a copy, after checking the copy."`
	Redate  redateCommand  `cmd:"" help:"Repair a database that was written while the clock was ahead: changes dated after now get the present time. 'serve' refuses such a database."`
	Export  exportCommand  `cmd:"" help:"Write users and the ledger of points to a file, as JSON Lines or CSV. The database may be in use."`
	Import  importCommand  `cmd:"" help:"Read users and points from a file into a database that is not in use. Importing the same file again counts nothing twice."`
	Verify  verifyCommand  `cmd:"" help:"Compare the totals of a database, and the boards of a service that runs on it, with the ledger."`
	Watch   watchCommand   `cmd:"" help:"Follow a board in the terminal. If the output is not a terminal, write each update as a line of JSON."`
	Demo    demoCommand    `cmd:"" help:"Run the service with simulated students and a temporary database. Open the page that it names, pick a student, and complete an exercise."`
	Token   tokenCommand   `cmd:"" help:"Sign a JWT for development and tests."`

	Version kong.VersionFlag `env:"-" help:"Show the version."`
}

const description = `A leaderboard that pushes itself.

Give points with POST /v1/users/{id}/xp. Follow the board with GET /v1/events, or on the page at /. A running service describes its API at /docs.`

// Main runs the command line of the process. It exits with 0, or writes the error to the standard
// error and exits with 1. The first SIGINT, SIGTERM or SIGHUP ends the command in good order; the
// second ends the process at once.
func Main(p Program) {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // nohup ignores it
		signals = append(signals, syscall.SIGHUP)
	}
	unsetEmpty()
	ctx, stop := signal.NotifyContext(context.Background(), signals...)
	context.AfterFunc(ctx, stop) // so that a second signal ends the process
	if err := p.Run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintf(os.Stderr, "marcador: %v\n", err)
		os.Exit(1)
	}
}

// unsetEmpty unsets our environment variables that are empty. Compose files pass an empty variable
// where they mean none.
func unsetEmpty() {
	for _, variable := range os.Environ() {
		if name, value, _ := strings.Cut(variable, "="); value == "" && strings.HasPrefix(name, "MARCADOR_") {
			_ = os.Unsetenv(name) // fails only for names that can't be set
		}
	}
}

// Run runs the command that args name, until the command is done or ctx is. Flags that args lack
// come from the environment.
func (p Program) Run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var c cli
	exited := false // set by --help and --version, after which nothing is left to do
	parser, err := kong.New(&c,
		kong.Name("marcador"),
		kong.Description(description),
		kong.DefaultEnvars("MARCADOR"),
		kong.Vars{"version": p.Version},
		kong.Writers(stdout, stderr),
		kong.Exit(func(int) { exited = true }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.BindTo(ctx, (*context.Context)(nil)),
	)
	if err != nil {
		return fmt.Errorf("command line: %w", err)
	}
	command, err := parser.Parse(args)
	if exited {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%w; see marcador --help", err)
	}
	out := output{p, stdout, stderr, secretInSight(command)}
	if out.secretInSight && command.Command() != "serve" { // serve writes it to its log
		fmt.Fprintf(stderr, "marcador: warning: %s\n", inSight)
	}
	return command.Run(out)
}

// output is what kong passes to a command besides its flags: the program, and where to write.
type output struct {
	Program

	stdout, stderr io.Writer

	secretInSight bool // the command line contains a secret
}

// inSight warns of a secret on the command line and names the safe way.
const inSight = "every user of this machine can read --jwt-secret in its list of processes; set the environment variable MARCADOR_JWT_SECRET instead"

// secretInSight reports whether the secret was given on the command line, not in the environment.
func secretInSight(command *kong.Context) bool {
	return slices.ContainsFunc(command.Path, func(given *kong.Path) bool {
		return given.Flag != nil && !given.Resolved && given.Flag.Name == "jwt-secret"
	})
}

// logFlags say what is logged and how it looks.
type logFlags struct {
	LogFormat string `default:"text" enum:"text,json" help:"Format of log lines: ${enum}."`
	LogLevel  string `default:"info" enum:"debug,info,warn,error" help:"Log this level and everything more serious: ${enum}."`
}

func (f logFlags) logger(w io.Writer) (*slog.Logger, error) {
	var opts slog.HandlerOptions
	var level slog.Level
	if err := level.UnmarshalText([]byte(f.LogLevel)); err != nil {
		return nil, errors.New("--log-level must be debug, info, warn or error")
	}
	opts.Level = level
	if f.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, &opts)), nil
	}
	return slog.New(slog.NewTextHandler(w, &opts)), nil
}
