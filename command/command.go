// Package command is the command line of marcador: a file for each command, and in the folders
// beneath it what one command alone needs.
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
	_ "time/tzdata" // zones, where the machine has none

	"github.com/alecthomas/kong"
)

// Program is what main knows of the program that was built.
type Program struct {
	Schema  string // the text of schema.sql
	Version string
}

// cli is the command line. Every flag may be given in the environment instead,
// as MARCADOR_ and its name in capitals.
type cli struct {
	Serve   serveCommand   `cmd:"" help:"Run the service."`
	Backup  backupCommand  `cmd:"" help:"Copy a database, which may be in use, into a new file, and check the copy."`
	Restore restoreCommand `cmd:"" help:"Put a checked copy in the place of a database that is not in use."`
	Redate  redateCommand  `cmd:"" help:"Mend a database that was written while the clock was ahead: changes dated after now get the present time. 'serve' refuses such a database."`
	Export  exportCommand  `cmd:"" help:"Write users and the ledger of points, as JSON Lines or CSV. The database may be in use."`
	Import  importCommand  `cmd:"" help:"Bring users and points from such a file into a database that is not in use. The same file again counts nothing twice."`
	Verify  verifyCommand  `cmd:"" help:"Compare a database's totals, and the boards of the service that runs on it, with its ledger."`
	Watch   watchCommand   `cmd:"" help:"Follow a board in the terminal; where that is none, write each update as a line of JSON."`
	Demo    demoCommand    `cmd:"" help:"Run it with simulated students in a throw-away database. Open the page it names, pick a student, complete an exercise."`
	Token   tokenCommand   `cmd:"" help:"Sign a JWT for development and tests."`

	Version kong.VersionFlag `env:"-" help:"Show the version."`
}

const description = `A leaderboard that pushes itself.

Give points with POST /v1/users/{id}/xp, follow the board with GET /v1/events or on the page at /. The API is described at /docs of a running service.`

// Main runs the command line of the process and exits with 0, or with 1 after an error, which
// it writes to the standard error. SIGINT, SIGTERM and SIGHUP end a command well; a second
// signal ends the process at once.
func Main(p Program) {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // as nohup has it
		signals = append(signals, syscall.SIGHUP)
	}
	for _, variable := range os.Environ() { // empty is unset, as compose files have it
		if name, value, _ := strings.Cut(variable, "="); value == "" && strings.HasPrefix(name, "MARCADOR_") {
			_ = os.Unsetenv(name) // it is there
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), signals...)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	if err := p.Run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintf(os.Stderr, "marcador: %v\n", err)
		os.Exit(1)
	}
}

// Run runs the command that args name until it is done, or ctx is. Flags that args lack are
// taken from the environment.
func (p Program) Run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var c cli
	exited := false // --help and --version have said all there is to say
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
	if out.secretInSight && command.Command() != "serve" { // which has a log
		fmt.Fprintf(stderr, "marcador: warning: %s\n", inSight)
	}
	return command.Run(out)
}

// output is what a command is given beside its flags: the program, and where to write.
type output struct {
	Program

	stdout, stderr io.Writer

	secretInSight bool // the command line has a secret
}

// inSight says what is wrong with a secret on the command line, and how else to give it.
const inSight = "every user of this machine can read --jwt-secret in its list of processes; set the environment variable MARCADOR_JWT_SECRET instead"

// secretInSight reports whether the command line has a secret, rather than the environment.
func secretInSight(command *kong.Context) bool {
	return slices.ContainsFunc(command.Path, func(given *kong.Path) bool {
		return given.Flag != nil && !given.Resolved && given.Flag.Name == "jwt-secret"
	})
}

// logFlags say what is logged, and how.
type logFlags struct {
	LogFormat string `default:"text" enum:"text,json" help:"How log lines look: ${enum}."`
	LogLevel  string `default:"info" enum:"debug,info,warn,error" help:"The least that is logged: ${enum}."`
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
