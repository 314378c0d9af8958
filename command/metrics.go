package command

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"marcador/sse"
)

// maxScrapes bounds how many scrapes are answered at a time; past it they are
// refused with 503.
const maxScrapes = 4

// privateServer is the address that only operators reach: metrics and profiles. A nil
// one is none.
type privateServer struct {
	listener net.Listener
	server   *http.Server
	cancel   context.CancelFunc // of its requests
	served   chan struct{}      // closed when nothing is accepted any more
	failure  error              // why; to be read once served is closed
}

// openPrivate listens on the address and answers until close. It returns nil
// where there is no address.
func openPrivate(ctx context.Context, addr string, stats func() sse.Stats, log *slog.Logger) (*privateServer, error) {
	if addr == "" {
		return nil, nil //nolint:nilnil // there is none, and nothing is wrong
	}
	listener, err := listen(ctx, "--metrics-addr", addr)
	if err != nil {
		return nil, err
	}
	requests, cancel := context.WithCancel(context.WithoutCancel(ctx))
	p := &privateServer{
		listener: listener,
		server: &http.Server{
			Handler:           privateHandler(stats, log),
			BaseContext:       func(net.Listener) context.Context { return requests },
			ReadHeaderTimeout: headTimeout, // no bound on answers: a profile takes as long as it was asked to
			IdleTimeout:       2 * time.Minute,
			MaxHeaderBytes:    32 << 10,
			ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		},
		cancel: cancel,
		served: make(chan struct{}),
	}
	go func() {
		defer close(p.served)
		p.failure = p.server.Serve(listener)
	}()
	return p, nil
}

// url is where its paths begin, or none.
func (p *privateServer) url() string {
	if p == nil {
		return "none"
	}
	return urlOf(p.listener)
}

// close ends profiles that are being taken, lets scrapes end, and waits for both.
func (p *privateServer) close(ctx context.Context) error {
	if p == nil {
		return nil
	}
	p.cancel()
	err := p.server.Shutdown(ctx)
	if err != nil {
		err = errors.Join(err, p.server.Close())
	}
	<-p.served
	if !errors.Is(p.failure, http.ErrServerClosed) {
		err = errors.Join(fmt.Errorf("serve metrics: %w", p.failure), err)
	}
	return err
}

func privateHandler(stats func() sse.Stats, log *slog.Logger) http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		collector(stats),
	)
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{
		Registry:            registry,
		ErrorLog:            slog.NewLogLogger(log.Handler(), slog.LevelWarn),
		MaxRequestsInFlight: maxScrapes,
	}))
	// All but cmdline: the secret may stand there.
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("POST /debug/pprof/symbol", pprof.Symbol) // as go tool pprof asks
	return mux
}

// collector gives the counts of streams to Prometheus.
type collector func() sse.Stats

// The metrics, with the labels that are there from the start: of a series that
// only begins with its first event, that event can't be seen.
var (
	streamsOpen = metric("streams", "Streams that are open.", "transport")
	deliveries  = metric("deliveries_total", "Events of boards that were written to a client.", "")
	bytesSent   = metric("delivered_bytes_total", "Bytes written to streams, compressed where they are.", "")
	skipped     = metric("skipped_states_total", "States that a client was not sent because it was sent a later one.", "")
	recoveries  = metric("recoveries_total", "Streams that began with the id of an event, by what they were sent.", "result")
	disconnects = metric("disconnects_total", "Streams that ended, by reason.", "reason")
	refused     = metric("refused_streams_total", "Streams that could not begin, by reason.", "reason")
	freshness   = metric("freshness_seconds", "Time from the commit of a change until a client's socket had taken it.", "")

	transports    = []string{"raw", "standard"}
	results       = []string{"current", "difference", "snapshot"}
	endReasons    = []string{"client_gone", "too_slow", "token_expired", "forbidden", "replaced", "signed_out", "shutdown"}
	refuseReasons = []string{"max_streams", "max_anonymous_streams", "max_streams_per_address", "max_streams_per_user", "shutting_down"}
)

func metric(name, help, label string) *prometheus.Desc {
	var labels []string
	if label != "" {
		labels = []string{label}
	}
	return prometheus.NewDesc("marcador_"+name, help, labels, nil)
}

// Describe implements prometheus.Collector.
func (c collector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{streamsOpen, deliveries, bytesSent, skipped, recoveries, disconnects, refused, freshness} {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (c collector) Collect(to chan<- prometheus.Metric) {
	s := c()
	each(to, streamsOpen, prometheus.GaugeValue, s.Streams, transports)
	to <- prometheus.MustNewConstMetric(deliveries, prometheus.CounterValue, float64(s.Deliveries))
	to <- prometheus.MustNewConstMetric(bytesSent, prometheus.CounterValue, float64(s.Bytes))
	to <- prometheus.MustNewConstMetric(skipped, prometheus.CounterValue, float64(s.Skipped))
	each(to, recoveries, prometheus.CounterValue, s.Recoveries, results)
	each(to, disconnects, prometheus.CounterValue, s.Disconnects, endReasons)
	each(to, refused, prometheus.CounterValue, s.Refused, refuseReasons)

	var count uint64
	buckets := make(map[float64]uint64, len(s.Freshness.Bounds)) // cumulative
	for i, n := range s.Freshness.Counts {
		count += n
		if i < len(s.Freshness.Bounds) {
			buckets[s.Freshness.Bounds[i]] = count
		}
	}
	to <- prometheus.MustNewConstHistogram(freshness, count, s.Freshness.Sum, buckets)
}

// each gives one metric for each label: those that are always there, and others
// that were counted.
func each[N int | uint64](to chan<- prometheus.Metric, d *prometheus.Desc, kind prometheus.ValueType, counts map[string]N, always []string) {
	all := make(map[string]N, len(counts)+len(always))
	for _, label := range always {
		all[label] = 0
	}
	maps.Copy(all, counts)
	for label, n := range all {
		to <- prometheus.MustNewConstMetric(d, kind, float64(n), label)
	}
}
