package command_test

import (
	"bytes"
	"io"
	"log/slog"
	"net/http/httptest"
	"testing"

	"marcador/command"
	"marcador/sse"
)

func TestCollector_Collect(t *testing.T) {
	stats := sse.Stats{
		Streams:     map[string]int{"raw": 3, "standard": 2},
		Deliveries:  100,
		Bytes:       5000,
		Skipped:     7,
		Recoveries:  map[string]uint64{"difference": 4},
		Disconnects: map[string]uint64{"too_slow": 1, "new_reason": 2},
		Refused:     map[string]uint64{"max_streams": 9},
		Freshness:   sse.Histogram{Bounds: []float64{0.001, 0.01}, Counts: []uint64{5, 3, 2}, Sum: 1.5},
	}
	server := httptest.NewServer(command.PrivateHandler(func() sse.Stats { return stats }, slog.New(slog.DiscardHandler)))
	defer server.Close()
	res, err := server.Client().Get(server.URL + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }() // it was only read
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`marcador_streams{transport="raw"} 3`,
		`marcador_streams{transport="standard"} 2`,
		`marcador_deliveries_total 100`,
		`marcador_delivered_bytes_total 5000`,
		`marcador_skipped_states_total 7`,
		`marcador_recoveries_total{result="current"} 0`,
		`marcador_recoveries_total{result="difference"} 4`,
		`marcador_recoveries_total{result="snapshot"} 0`,
		`marcador_disconnects_total{reason="client_gone"} 0`,
		`marcador_disconnects_total{reason="new_reason"} 2`,
		`marcador_disconnects_total{reason="too_slow"} 1`,
		`marcador_refused_streams_total{reason="max_streams"} 9`,
		`marcador_refused_streams_total{reason="shutting_down"} 0`,
		`marcador_freshness_seconds_bucket{le="0.001"} 5`,
		`marcador_freshness_seconds_bucket{le="0.01"} 8`,
		`marcador_freshness_seconds_bucket{le="+Inf"} 10`,
		`marcador_freshness_seconds_sum 1.5`,
		`marcador_freshness_seconds_count 10`,
	} {
		if !bytes.Contains(body, []byte("\n"+want+"\n")) {
			t.Errorf("no %s in\n%s", want, body)
		}
	}
}
