package command

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"marcador/live"
	"marcador/sse"
)

// These are the longest times that shutting down waits: for telling the streams, for answering
// requests, and for answering scrapes of the metrics. Afterwards the connection is cut.
const (
	drainTimeout   = 4 * time.Second
	requestTimeout = 4 * time.Second
	scrapeTimeout  = time.Second
)

// serve answers requests until ctx is done, and then closes everything in this order:
//
//	ctx is done
//	  │ streams.Drain      /readyz says no, each stream gets its goodbye       4 s at most
//	  │ server.Shutdown    no new connections, open requests are answered      4 s
//	  │ private.close      profiles end, scrapes are answered                  1 s
//	  ▼ service.Close      the writer finishes its queue, the database closes
//	the process may exit
//
// Writes are still possible until server.Shutdown has returned, so none is lost in between.
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
	if cut := within(ctx, drainTimeout, streams.Drain); cut != nil {
		log.Warn("streams were cut off", "error", cut)
	}
	if cut := within(ctx, requestTimeout, server.Shutdown); cut != nil {
		log.Warn("requests were cut off", "error", cut)
		err = errors.Join(err, server.Close())
	}
	<-served
	if cut := within(ctx, scrapeTimeout, private.close); cut != nil {
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
