package command

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime"
	"syscall"
	"time"

	"marcador/api"
	"marcador/internal/connlimit"
	"marcador/live"
	"marcador/rank"
	"marcador/sse"
)

// How long shutting down waits, at the most: for streams to be told, and for
// requests and scrapes to be answered. Who has not read the answer by then is cut
// off.
const (
	farewell   = 4 * time.Second
	lastCall   = 4 * time.Second
	lastScrape = time.Second
)

// headTimeout is how long the head of a request may take to come, and before it a
// TLS handshake. The API bounds bodies; see api.Limits.
const headTimeout = 5 * time.Second

// maxHeartbeat is a silence that every client bears: the browser's gives a stream
// up after 40 s.
const maxHeartbeat = 30 * time.Second

// otherFiles are the files and connections that are kept for all else than streams.
const otherFiles = 256

// maxConnections bounds the connections that hold no stream, some 15 KB each.
const maxConnections = 16_384

const (
	day          = 24 * time.Hour
	maxRetention = 36_500
)

// leastTTL bounds how often the database is looked at.
const leastTTL = 10 * time.Millisecond

// boardFlags say when boards move and how they are sent.
type boardFlags struct {
	Recompute    string        `default:"write" help:"When boards move: 'write', whenever something is written; or a cron expression."`
	CacheTTL     time.Duration `default:"60s" name:"cache-ttl" help:"Longest that an encoded page is kept; then edits of the database by hand show too."`
	Top          int           `default:"100" help:"Rows in a broadcast, 1 to 1000."`
	Heartbeat    time.Duration `default:"15s" help:"Longest silence on a stream, at most 30s."`
	WriteTimeout time.Duration `default:"5s" help:"A client that takes longer to take one write is let go."`

	MaxStreams        int `default:"50000" help:"Streams that may be open at once; past it they get a 503. Without a token they take half of them at most, and a tenth from one address."`
	MaxStreamsPerUser int `default:"8" help:"Streams that one user may have open at once; past it the newest ends the oldest."`

	Timezone       string `default:"UTC" help:"IANA name of the zone in which days, weeks and months begin, such as America/Merida."`
	ChangeBaseline string `default:"daily" enum:"daily,weekly,monthly" help:"With what begins that which changes of all-time are measured from: ${enum}."`
	Ranks          string `default:"ordinal" enum:"ordinal,competition,dense" help:"How equal scores are numbered: 1 2 3 4, 1 2 2 4, or 1 2 2 3."`
	Friends        string `default:"mutual" enum:"mutual,group,open" help:"When a friendship counts: 'mutual', once both have asked for it; 'group', once one has, among members of one group; 'open', once one has."`
	Retention      int    `default:"400" help:"Days that closed periods are kept; 0 for ever."`
}

// serveCommand runs the service.
type serveCommand struct {
	Addr            string        `default:":8080" help:"Address to listen on."`
	DB              string        `default:"marcador.db" name:"db" help:"SQLite file; its folder must exist."`
	Throttle        time.Duration `default:"10s" help:"Least time between two broadcasts of one board; 0 for none."`
	Public          bool          `help:"Let anyone read and follow the global board without a token."`
	AllowQueryToken bool          `help:"Let streams carry their token as ?access_token=. It will be in logs along the way."`
	WriteRate       int           `default:"0" help:"Updates a second that one caller may write; past it they get a 429. 0 is no limit."`
	MetricsAddr     string        `help:"A second, private address for /metrics and /debug/pprof/."`

	corsFlags
	proxyFlags
	tlsFlags
	tokenFlags
	keyFlags
	boardFlags
	logFlags
}

// Run implements the command.
func (c *serveCommand) Run(ctx context.Context, out output) error {
	log, err := c.logger(out.stderr)
	if err != nil {
		return err
	}
	if out.secretInSight {
		log.Warn(inSight)
	}
	keys, err := c.keyFlags.options(log)
	if err != nil {
		return err
	}
	var service *live.Service // there is one before the first token comes
	keys.Known = func(id string) bool { return service.Has(id) }
	verifier, err := c.verifierWith(keys)
	if err != nil {
		return err
	}
	opts, err := c.liveOptions(c.Throttle, log)
	if err != nil {
		return err
	}
	opts.Schema = out.Schema
	if c.WriteRate < 0 {
		return fmt.Errorf("--write-rate %d is below 0; give updates a second, or 0 for no limit", c.WriteRate)
	}
	origins, err := c.origins()
	if err != nil {
		return err
	}
	proxies, err := c.proxies()
	if err != nil {
		return err
	}
	cert, err := c.certificate(log)
	if err != nil {
		return err
	}
	listener, err := listen(ctx, "--addr", c.Addr)
	if err != nil {
		return err
	}
	if cert != nil {
		listener = secured(listener, cert)
	}
	defer keepFresh(ctx, verifier)()
	if service, err = live.Open(ctx, c.DB, opts); err != nil {
		return errors.Join(err, listener.Close())
	}
	warnReadable(c.DB, log)
	streams := c.streams(service.Hub(), log)
	private, err := openPrivate(ctx, c.MetricsAddr, streams.Stats, log)
	if err != nil {
		return errors.Join(err, service.Close(), listener.Close())
	}
	handler := api.New(api.Options{
		Live: service, Streams: streams, Verifier: verifier, Log: log,
		Version: out.Version, Public: c.Public, AllowQueryToken: c.AllowQueryToken, Origins: origins, Proxies: proxies,
		Limits: api.Limits{WriteRate: c.WriteRate},
	})
	log.Info("listening", "url", urlOf(listener), "database", c.DB, "metrics", private.url())
	return serve(ctx, listener, c.server(handler, streams, log), streams, private, service, log)
}

// warnReadable warns of a database that every user of the machine can read. Older versions made
// them so. A group may be meant to read it.
func warnReadable(db string, log *slog.Logger) {
	const others = 0o004
	if info, err := os.Stat(db); err == nil && runtime.GOOS != "windows" && info.Mode().Perm()&others != 0 {
		log.Warn("every user of this machine can read the database; chmod 600 it, and its -wal and -shm files", "database", db)
	}
}

// liveOptions checks the flags that have no type of their own.
func (f boardFlags) liveOptions(throttle time.Duration, log *slog.Logger) (live.Options, error) {
	opts := live.Options{Throttle: throttle, CacheTTL: f.CacheTTL, Top: f.Top, Log: log, Retention: time.Duration(f.Retention) * day}
	opts.Baseline, _ = live.ParsePeriod(f.ChangeBaseline) // kong has checked them
	opts.Ranks, _ = rank.ParseNumbering(f.Ranks)
	opts.Friends, _ = live.ParseFriendsRule(f.Friends)
	if f.Retention < 0 || f.Retention > maxRetention {
		return opts, fmt.Errorf("--retention %d is not from 0 to %d days; 0 keeps closed periods for ever", f.Retention, maxRetention)
	}
	for _, d := range []struct {
		flag  string
		value time.Duration
		least time.Duration
	}{
		{"--throttle", throttle, 0},
		{"--cache-ttl", f.CacheTTL, 0},
		{"--heartbeat", f.Heartbeat, time.Millisecond},
		{"--write-timeout", f.WriteTimeout, time.Millisecond},
	} {
		if d.value < d.least {
			return opts, fmt.Errorf("%s %s is too short; give %s or more", d.flag, d.value, d.least)
		}
	}
	if f.CacheTTL > 0 && f.CacheTTL < leastTTL {
		return opts, fmt.Errorf("--cache-ttl %s is too short; give %s or more, or 0 to keep nothing", f.CacheTTL, leastTTL)
	}
	if f.Heartbeat > maxHeartbeat {
		return opts, fmt.Errorf("--heartbeat %s is too long; give %s or less, since browsers give a silent stream up", f.Heartbeat, maxHeartbeat)
	}
	if f.MaxStreams < 1 || f.MaxStreamsPerUser < 1 {
		return opts, fmt.Errorf("--max-streams %d and --max-streams-per-user %d must be 1 or more", f.MaxStreams, f.MaxStreamsPerUser)
	}
	if throttle == 0 {
		opts.Throttle = -1
	}
	if f.CacheTTL == 0 {
		opts.CacheTTL = -1
	}
	if f.Top < 1 || f.Top > 1000 {
		return opts, fmt.Errorf("--top %d is not from 1 to 1000", f.Top)
	}
	var err error
	if opts.Location, err = time.LoadLocation(f.Timezone); err != nil {
		return opts, fmt.Errorf("--timezone %q is not known; give an IANA name such as America/Merida or UTC", f.Timezone)
	}
	if f.Recompute != "write" {
		if err := live.CheckCron(f.Recompute); err != nil {
			return opts, fmt.Errorf("--recompute: %w; or write, to move boards whenever something is written", err)
		}
		opts.Recompute = f.Recompute
	}
	return opts, nil
}

// streams returns the server of streams. Where the system lets the process open
// fewer files than --max-streams needs, it takes fewer: a stream that gets a 503
// is better off than one that no connection is left for, and so are writes.
func (f boardFlags) streams(hub *sse.Hub, log *slog.Logger) *sse.Server {
	most := f.MaxStreams
	if files := openFiles(); files > 0 && files-otherFiles < most {
		most = max(files-otherFiles, 1)
		log.Info("the limit of open files allows fewer streams than --max-streams; raise it where they are needed (ulimit -n, LimitNOFILE=)",
			"open_files", files, "max_streams", most)
	}
	return sse.NewServer(hub, sse.Options{
		Heartbeat: f.Heartbeat, WriteTimeout: f.WriteTimeout,
		MaxStreams: most, MaxStreamsPerUser: f.MaxStreamsPerUser,
	})
}

func (f boardFlags) server(h http.Handler, streams *sse.Server, log *slog.Logger) *http.Server {
	g := connlimit.New(connlimit.Options{MaxOpen: func() int { return connections(openFiles(), streams.Streams()) }})
	return &http.Server{
		Handler: g.Handler(h),
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return sse.ConnContext(g.ConnContext(ctx, c), c)
		},
		ConnState:         g.ConnState,
		Protocols:         protocols(),
		HTTP2:             http2Config(f.WriteTimeout),
		ReadHeaderTimeout: headTimeout,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug), // clients' doings; panics are the API's to log
	}
}

// connections is how many may be open beside streams, where the process may have
// that many files open; 0 is not known. The database's are few.
func connections(files, streams int) int {
	if files == 0 {
		return maxConnections
	}
	return max(min(files-otherFiles/2-streams, maxConnections), otherFiles/4)
}

// listen listens on the address that the flag gave.
func listen(ctx context.Context, flag, addr string) (net.Listener, error) {
	listener, err := sse.Listen(ctx, "tcp", addr)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("the address %s is taken by another program; stop that, or give another with %s", addr, flag)
	case err != nil:
		return nil, fmt.Errorf("listen on %s %q: %w", flag, addr, err)
	}
	return listener, nil
}

// urlOf is where a browser on this machine finds the listener.
func urlOf(l net.Listener) string {
	scheme := "http"
	if _, ok := l.(secureListener); ok {
		scheme = "https"
	}
	addr, ok := l.Addr().(*net.TCPAddr)
	if !ok || !addr.IP.IsUnspecified() {
		return scheme + "://" + l.Addr().String()
	}
	return fmt.Sprintf("%s://localhost:%d", scheme, addr.Port)
}

// serve answers requests until ctx is done, then closes everything, in order:
// not ready, goodbye to the streams, HTTP down, metrics down, writer drained,
// database closed.
func serve(ctx context.Context, l net.Listener, server *http.Server, streams *sse.Server, private *privateServer, service *live.Service, log *slog.Logger) error {
	var failure error
	served := make(chan struct{})
	go func() {
		defer close(served)
		failure = server.Serve(l)
	}()
	var err error
	select {
	case <-served:
		err = fmt.Errorf("serve: %w", failure)
	case <-ctx.Done():
		log.Info("shutting down", "streams", streams.Streams())
	}
	ctx = context.WithoutCancel(ctx)
	if cut := within(ctx, farewell, streams.Drain); cut != nil {
		log.Warn("streams were cut off", "error", cut)
	}
	if cut := within(ctx, lastCall, server.Shutdown); cut != nil {
		log.Warn("requests were cut off", "error", cut)
		err = errors.Join(err, server.Close())
	}
	<-served
	if cut := within(ctx, lastScrape, private.close); cut != nil {
		log.Warn("metrics were cut off", "error", cut)
	}
	if err = errors.Join(err, service.Close()); err == nil {
		log.Info("stopped")
	}
	return err
}

func within(ctx context.Context, d time.Duration, fn func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	return fn(ctx)
}
