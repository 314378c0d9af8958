package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"marcador/api"
	"marcador/auth"
	"marcador/command/demo"
	"marcador/live"
	"marcador/sse"
)

// noon is when it is at a quiet school, so that its board is the same each time.
var noon = time.Date(2026, time.March, 12, 17, 30, 0, 0, time.UTC)

// quietSchool is the demo's school on an afternoon on which nobody studies: there
// are a week's points, people who have moved, and every badge. Where bar is true,
// it is served as the demo is, else as the service with --public.
func quietSchool(tb testing.TB, students int, bar bool) *program {
	tb.Helper()
	tb.Setenv("MARCADOR_JWT_SECRET", secret)
	silent := slog.New(slog.DiscardHandler)
	verifier, err := auth.NewVerifier(auth.Options{Secret: []byte(secret)})
	if err != nil {
		tb.Fatal(err)
	}
	clock, late := demo.NewClock(), time.Since(noon)
	service, err := live.Open(tb.Context(), filepath.Join(tb.TempDir(), "school.db"), live.Options{
		Schema:   schema,
		Throttle: -1, Log: silent, Now: func() time.Time { return clock.Now().Add(-late) },
	})
	if err != nil {
		tb.Fatal(err)
	}
	school := demo.New(service, verifier, silent, students)
	if err := school.Fill(tb.Context(), clock); err != nil {
		tb.Fatal(err)
	}
	options := api.Options{Live: service, Verifier: verifier, Log: silent, Version: "test", Public: true}
	if bar {
		options.Demo = school.Handler()
	}
	options.Streams = sse.NewServer(service.Hub(), sse.Options{MaxStreams: 100, MaxStreamsPerUser: 20})
	listener, err := sse.Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	server := &http.Server{Handler: api.New(options), ConnContext: sse.ConnContext, ReadHeaderTimeout: patient}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	p := &program{tb: tb, url: "http://" + listener.Addr().String(), stop: sync.OnceFunc(func() {
		err := errors.Join(options.Streams.Drain(context.Background()), server.Shutdown(context.Background()), service.Close())
		if served := <-ended; err != nil || !errors.Is(served, http.ErrServerClosed) {
			tb.Errorf("the school: %v, %v", err, served)
		}
	})}
	tb.Cleanup(p.stop)
	return p
}

// atNoon lets a window's clock begin at noon, when it is noon at a quiet school too.
func atNoon(tb testing.TB, ctx context.Context) {
	tb.Helper()
	beforehand(tb, ctx, fmt.Sprintf(`{
		const late = Date.now() - %d;
		const Real = Date;
		Date = class extends Real {
			constructor(...given) { given.length === 0 ? super(Real.now() - late) : super(...given); }
			static now() { return Real.now() - late; }
		};
	}`, noon.UnixMilli()))
}

// signIn gives a window the cookie of somebody.
func signIn(tb testing.TB, ctx context.Context, user string) {
	tb.Helper()
	token := tokenFor(tb, user, "", time.Hour)
	if got := eval[int](tb, ctx, fmt.Sprintf(`fetch("/v1/session", { method: "POST", headers: { Authorization: "Bearer %s" } }).then((r) => r.status)`, token)); got != http.StatusNoContent && got != http.StatusOK {
		tb.Fatalf("POST /v1/session = %d", got)
	}
}
