package command_test

import (
	"bytes"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"marcador/test/testkit"
)

// Prometheus can read the metrics, and its linter finds nothing.
func TestPrivateServer_metrics(t *testing.T) {
	p := testkit.Serve(t, "--metrics-addr", testkit.AnyPort)
	heard := p.Follow(testkit.Token(t, "u1", ""), "", "")
	testkit.Next(t, heard, "authenticated")

	status, body := p.Private().Try("", http.MethodGet, "/metrics", "")
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

// Profiles are served at the private address alone, without the command line.
func TestPrivateServer_profiles(t *testing.T) {
	p := testkit.Serve(t, "--metrics-addr", testkit.AnyPort)
	private := p.Private()
	for path, want := range map[string]int{
		"/debug/pprof/":                  200,
		"/debug/pprof/heap":              200,
		"/debug/pprof/goroutine?debug=1": 200,
		"/debug/pprof/cmdline":           404, // it would show a secret among the flags
		"/":                              404,
	} {
		if status, body := private.Try("", http.MethodGet, path, ""); status != want {
			t.Errorf("%s = %d %s, want %d", path, status, body, want)
		}
	}
	for _, path := range []string{"/metrics", "/debug/pprof/", "/debug/pprof/heap"} {
		if status, _ := p.Try("", http.MethodGet, path, ""); status != http.StatusNotFound {
			t.Errorf("%s is %d at the public address, want 404", path, status)
		}
	}
}

// A service that is told to stop does not wait for a long profile.
func TestPrivateServer_longProfile(t *testing.T) {
	p := testkit.Serve(t, "--metrics-addr", testkit.AnyPort)
	private := p.Private()
	profiled := make(chan struct{})
	go func() {
		defer close(profiled)
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		res, err := client.Get(private.URL + "/debug/pprof/profile?seconds=600")
		if err != nil {
			t.Error(err)
			return
		}
		if err := res.Body.Close(); err != nil {
			t.Error(err)
		}
	}()
	for began := time.Now(); ; {
		if _, stacks := private.Try("", http.MethodGet, "/debug/pprof/goroutine?debug=2", ""); bytes.Contains(stacks, []byte("pprof.Profile(")) {
			break
		}
		if time.Since(began) > testkit.Patience {
			t.Fatal("the profile does not begin")
		}
	}
	p.Stop()
	<-profiled
	if p.Log.Has("cut off") {
		t.Errorf("log = %s", p.Log)
	}
}

// Without the flag there is no private address.
func TestPrivateServer_none(t *testing.T) {
	p := testkit.Serve(t)
	if !p.Log.Has("metrics=none") {
		t.Errorf("log = %s", p.Log)
	}
}

// A private address that can't be had keeps the service from starting, and a service that can't
// start gives its private address back.
func TestPrivateServer_startErrors(t *testing.T) {
	folder := t.TempDir()
	for name, c := range map[string]struct{ addr, db, want string }{
		"taken":      {listen(t), "m.db", "--metrics-addr"},
		"nonsense":   {"nonsense", "m.db", "--metrics-addr"},
		"other flag": {testkit.AnyPort, "no/m.db", "does not exist"},
	} {
		t.Run(name, func(t *testing.T) {
			testkit.Refuses(t, c.want, "serve", "--addr", testkit.AnyPort, "--db", filepath.Join(folder, c.db), "--metrics-addr", c.addr)
		})
	}
}
