package command

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"time"

	"marcador/api"
	"marcador/auth"
	"marcador/internal/forwarded"
	"marcador/live"
)

// serveCommand runs the service.
type serveCommand struct {
	Addr            string        `default:":8080" help:"Address to listen on."`
	DB              string        `default:"marcador.db" name:"db" help:"SQLite file. It is created if it is missing; its folder must exist."`
	Throttle        time.Duration `default:"10s" help:"Least time between two broadcasts of one board. 0 is none."`
	Public          bool          `help:"Let anyone read and follow the global board without a token."`
	AllowQueryToken bool          `help:"Let streams carry their token as ?access_token=. Servers on the way may then log it."`
	WriteRate       int           `default:"0" help:"Updates a second that one caller may write. More are refused with 429. 0 is no limit."`
	MetricsAddr     string        `help:"A second, private address for /metrics and /debug/pprof/."`

	corsFlags
	proxyFlags
	tlsFlags
	tokenFlags
	keyFlags
	boardFlags
	logFlags
}

// serveSettings are the checked flags of serve.
type serveSettings struct {
	verifier    *auth.Verifier
	live        live.Options
	origins     []string
	proxies     forwarded.Proxies
	certificate *certificate // nil without HTTPS
}

// Run implements the command. It checks all flags before it opens anything.
func (c *serveCommand) Run(ctx context.Context, out output) error {
	log, err := c.logger(out.stderr)
	if err != nil {
		return err
	}
	if out.secretInSight {
		log.Warn(inSight)
	}
	var service *live.Service // opened below, before the first token arrives
	set, err := c.settings(log, func(id string) bool { return service.Has(id) })
	if err != nil {
		return err
	}
	set.live.Schema = out.Schema
	listener, err := listen(ctx, "--addr", c.Addr)
	if err != nil {
		return err
	}
	if set.certificate != nil {
		listener = secured(listener, set.certificate)
	}
	defer keepFresh(ctx, set.verifier)()
	if service, err = live.Open(ctx, c.DB, set.live); err != nil {
		return errors.Join(err, listener.Close())
	}
	warnReadable(c.DB, log)
	streams := c.streams(service.Hub(), log)
	private, err := openPrivate(ctx, c.MetricsAddr, streams.Stats, log)
	if err != nil {
		return errors.Join(err, service.Close(), listener.Close())
	}
	handler := api.New(api.Options{
		Live: service, Streams: streams, Verifier: set.verifier, Log: log,
		Version: out.Version, Public: c.Public, AllowQueryToken: c.AllowQueryToken, Origins: set.origins, Proxies: set.proxies,
		Limits: api.Limits{WriteRate: c.WriteRate},
	})
	log.Info("listening", "url", urlOf(listener), "database", c.DB, "metrics", private.url())
	return serve(ctx, listener, c.server(handler, streams, log), streams, private, service, log)
}

// settings checks the flags. known reports whether there is a user with the id; nobody calls it
// before the service is open.
func (c *serveCommand) settings(log *slog.Logger, known func(id string) bool) (s serveSettings, err error) {
	keys, err := c.keyFlags.options(log)
	if err != nil {
		return s, err
	}
	keys.Known = known
	if s.verifier, err = c.verifierWith(keys); err != nil {
		return s, err
	}
	if s.live, err = c.liveOptions(c.Throttle, log); err != nil {
		return s, err
	}
	if c.WriteRate < 0 {
		return s, fmt.Errorf("--write-rate %d is below 0; give updates a second, or 0 for no limit", c.WriteRate)
	}
	if s.origins, err = c.origins(); err != nil {
		return s, err
	}
	if s.proxies, err = c.proxies(); err != nil {
		return s, err
	}
	s.certificate, err = c.certificate(log)
	return s, err
}

// warnReadable warns of a database that every user of the machine can read; older versions created
// such files. A database that a group can read may be meant so.
func warnReadable(db string, log *slog.Logger) {
	const others = 0o004
	if info, err := os.Stat(db); err == nil && runtime.GOOS != "windows" && info.Mode().Perm()&others != 0 {
		log.Warn("every user of this machine can read the database; chmod 600 it, and its -wal and -shm files", "database", db)
	}
}
