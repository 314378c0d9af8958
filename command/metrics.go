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

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"marcador/sse"
)

// maxScrapes is how many scrapes are answered at the same time. More are refused with 503.
const maxScrapes = 4

// privateServer serves metrics and profiles on an address that only operators reach. A nil
// privateServer serves nothing.
type privateServer struct {
	listener net.Listener
	server   *http.Server
	cancel   context.CancelFunc // cancels the requests
	served   chan struct{}      // closed when Serve has returned
	failure  error              // from Serve; readable once served is closed
}

// openPrivate listens on the address and answers until close is called. It returns nil if the
// address is empty.
func openPrivate(ctx context.Context, addr string, stats func() sse.Stats, log *slog.Logger) (*privateServer, error) {
	if addr == "" {
		return nil, nil //nolint:nilnil // metrics are optional
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
			ReadHeaderTimeout: headTimeout,
			IdleTimeout:       idleTimeout,
			MaxHeaderBytes:    maxHead,
			ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
			// No WriteTimeout: a profile takes as long as its request says.
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

// url returns the base URL, or "none".
func (p *privateServer) url() string {
	if p == nil {
		return "none"
	}
	return urlOf(p.listener)
}

// close ends running profiles, lets scrapes finish, and waits for both.
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
	// All profiles but cmdline, which would show a secret that was given as a flag.
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("POST /debug/pprof/symbol", pprof.Symbol) // go tool pprof asks in this way
	return mux
}

// collector gives Prometheus the counts of streams.
type collector func() sse.Stats

// The metrics. Known label values are there from the start with the value 0: Prometheus can't see
// the first event of a series that begins with it.
var (
	streamsOpen = metric("streams", "Open streams.", "transport")
	deliveries  = metric("deliveries_total", "Board events that were written to clients.", "")
	bytesSent   = metric("delivered_bytes_total", "Bytes written to streams, after compression.", "")
	skipped     = metric("skipped_states_total", "States of boards that a slow client skipped, because it was sent a later one.", "")
	recoveries  = metric("recoveries_total", "Streams that resumed from an event id, by what they were sent first.", "result")
	disconnects = metric("disconnects_total", "Streams that ended, by reason.", "reason")
	refused     = metric("refused_streams_total", "Streams that could not begin, by reason.", "reason")
	freshness   = metric("freshness_seconds", "Time from the commit of a change until it was written to a client's socket.", "")

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

// each sends one metric for each label value. A value of always that was never counted is 0.
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
