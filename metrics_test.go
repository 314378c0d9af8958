package main

import (
	"bytes"
	"io"
	"maps"
	"net"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// privateOf is a program's private address, to ask as the program itself.
func privateOf(p *program) *program {
	p.tb.Helper()
	found := regexp.MustCompile(`metrics=(http://\S+)`).FindStringSubmatch(p.log.String())
	if found == nil {
		p.tb.Fatalf("no private address in the log: %s", p.log)
	}
	return &program{tb: p.tb, url: found[1]}
}

// Prometheus can read what is measured, and takes no offence.
func TestPrivateServer_metrics(t *testing.T) {
	p := serveOn(t, "127.0.0.1:0", filepath.Join(t.TempDir(), "m.db"), "--metrics-addr", "127.0.0.1:0")
	heard := p.follow(tokenFor(t, "u1", "", time.Hour), "", "")
	next(t, heard, "authenticated")

	status, body := privateOf(p).try("", http.MethodGet, "/metrics", "")
	if status != http.StatusOK {
		t.Fatalf("%d %s", status, body)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, kind := range map[string]string{
		"marcador_streams":               "GAUGE",
		"marcador_deliveries_total":      "COUNTER",
		"marcador_delivered_bytes_total": "COUNTER",
		"marcador_skipped_states_total":  "COUNTER",
		"marcador_recoveries_total":      "COUNTER",
		"marcador_disconnects_total":     "COUNTER",
		"marcador_refused_streams_total": "COUNTER",
		"marcador_freshness_seconds":     "HISTOGRAM",
		"go_goroutines":                  "GAUGE",
		"process_start_time_seconds":     "GAUGE",
	} {
		if f := families[name]; f == nil || f.GetType().String() != kind {
			t.Errorf("%s is %v, want a %s; there are %v", name, f.GetType(), kind, slices.Sorted(maps.Keys(families)))
		}
	}
	var open float64
	for _, m := range families["marcador_streams"].GetMetric() {
		open += m.GetGauge().GetValue()
	}
	if open != 1 {
		t.Errorf("%v streams are open, want 1", open)
	}
	problems, err := promlint.New(bytes.NewReader(body)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range problems {
		t.Errorf("%s: %s", problem.Metric, problem.Text)
	}
}

func TestPrivateServer_profiles(t *testing.T) {
	p := serveOn(t, "127.0.0.1:0", filepath.Join(t.TempDir(), "m.db"), "--metrics-addr", "127.0.0.1:0")
	private := privateOf(p)
	for path, want := range map[string]int{
		"/debug/pprof/":                  200,
		"/debug/pprof/heap":              200,
		"/debug/pprof/goroutine?debug=1": 200,
		"/debug/pprof/cmdline":           404, // a secret may stand there
		"/":                              404,
	} {
		if status, body := private.try("", http.MethodGet, path, ""); status != want {
			t.Errorf("%s = %d %s, want %d", path, status, body, want)
		}
	}
	for _, path := range []string{"/metrics", "/debug/pprof/", "/debug/pprof/heap"} {
		if status, _ := p.try("", http.MethodGet, path, ""); status != http.StatusNotFound {
			t.Errorf("%s is %d at the public address, want 404", path, status)
		}
	}

	// A long profile does not hold up the end.
	profiled := make(chan struct{})
	go func() {
		defer close(profiled)
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		res, err := client.Get(private.url + "/debug/pprof/profile?seconds=600")
		if err != nil {
			t.Error(err)
			return
		}
		if err := res.Body.Close(); err != nil {
			t.Error(err)
		}
	}()
	for began := time.Now(); ; {
		if _, stacks := private.try("", http.MethodGet, "/debug/pprof/goroutine?debug=2", ""); bytes.Contains(stacks, []byte("pprof.Profile(")) {
			break
		}
		if time.Since(began) > patient {
			t.Fatal("the profile does not begin")
		}
	}
	p.stop()
	<-profiled
	if strings.Contains(p.log.String(), "cut off") {
		t.Errorf("log = %s", p.log)
	}
}

// Without the flag nothing else listens.
func TestPrivateServer_none(t *testing.T) {
	p := serveOn(t, "127.0.0.1:0", filepath.Join(t.TempDir(), "m.db"))
	if !strings.Contains(p.log.String(), "metrics=none") {
		t.Errorf("log = %s", p.log)
	}
}

func TestPrivateServer_startErrors(t *testing.T) {
	t.Setenv("MARCADOR_JWT_SECRET", secret)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := taken.Close(); err != nil {
			t.Error(err)
		}
	}()
	folder := t.TempDir()
	for name, c := range map[string]struct{ addr, db, want string }{
		"taken":      {taken.Addr().String(), "m.db", "--metrics-addr"},
		"nonsense":   {"nonsense", "m.db", "--metrics-addr"},
		"other flag": {"127.0.0.1:0", "no/m.db", "does not exist"}, // it has begun by then, and ends
	} {
		t.Run(name, func(t *testing.T) {
			err := run(t.Context(), []string{"serve", "--addr", "127.0.0.1:0", "--db", filepath.Join(folder, c.db), "--metrics-addr", c.addr}, io.Discard, io.Discard)
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error = %v, want one line with %s", err, c.want)
			}
		})
	}
}
