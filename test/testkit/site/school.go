package site

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"testing"
	"time"

	"marcador/api"
	"marcador/auth"
	"marcador/command/demo"
	"marcador/internal/schematest"
	"marcador/live"
	"marcador/sse"
	"marcador/test/testkit"
	"marcador/test/testkit/browser"
)

// noon is the time at a quiet school, so that its board is the same each time.
var noon = time.Date(2026, time.March, 12, 17, 30, 0, 0, time.UTC)

// School is the demo's school on an afternoon on which nobody studies: there are a week's points,
// people who have moved, and every badge. It is served as the demo is, with the bar that lets one
// pick a student, or else as a service with --public.
func School(tb testing.TB, students int, demoBar bool) *testkit.Program {
	tb.Helper()
	silent := slog.New(slog.DiscardHandler)
	verifier, err := auth.NewVerifier(auth.Options{Secret: []byte(testkit.Secret)})
	if err != nil {
		tb.Fatal(err)
	}
	clock, late := demo.NewClock(), time.Since(noon)
	service, err := live.Open(tb.Context(), testkit.Database(tb), live.Options{
		Schema:   schematest.Text(tb),
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
	if demoBar {
		options.Demo = school.Handler()
	}
	options.Streams = sse.NewServer(service.Hub(), sse.Options{MaxStreams: 100, MaxStreamsPerUser: 20})
	listener, err := sse.Listen(tb.Context(), "tcp", testkit.AnyPort)
	if err != nil {
		tb.Fatal(err)
	}
	server := &http.Server{Handler: api.New(options), ConnContext: sse.ConnContext, ReadHeaderTimeout: testkit.Patience}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	p := testkit.At(tb, "http://"+listener.Addr().String())
	p.Stop = sync.OnceFunc(func() {
		err := errors.Join(options.Streams.Drain(context.Background()), server.Shutdown(context.Background()), service.Close())
		if served := <-ended; err != nil || !errors.Is(served, http.ErrServerClosed) {
			tb.Errorf("the school: %v, %v", err, served)
		}
	})
	tb.Cleanup(p.Stop)
	return p
}

// AtNoon lets a window's clock begin at the time of a quiet school.
func AtNoon(w *browser.Window) {
	w.Beforehand(fmt.Sprintf(`{
		const late = Date.now() - %d;
		const Real = Date;
		Date = class extends Real {
			constructor(...given) { given.length === 0 ? super(Real.now() - late) : super(...given); }
			static now() { return Real.now() - late; }
		};
	}`, noon.UnixMilli()))
}

// VisitAtNoon opens an address at the time of a quiet school, and waits for each condition.
func VisitAtNoon(w *browser.Window, url string, conditions ...string) {
	AtNoon(w)
	w.Visit(url, conditions...)
}
