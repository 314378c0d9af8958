package command

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"marcador/api"
	"marcador/auth"
	"marcador/command/demo"
	"marcador/live"
)

// demoCommand runs the service with an invented school.
type demoCommand struct {
	Addr     string        `default:"127.0.0.1:8080" help:"Address to listen on."`
	Students int           `default:"300" help:"Number of students, 3 to 100000."`
	Throttle time.Duration `default:"5s" help:"Least time between two broadcasts of one board. 0 is none."`

	corsFlags
	proxyFlags
	boardFlags
	logFlags
}

// Run implements the command.
func (c *demoCommand) Run(ctx context.Context, out output) (err error) {
	log, err := c.logger(out.stderr)
	if err != nil {
		return err
	}
	if c.Students < 3 || c.Students > 100_000 {
		return fmt.Errorf("--students %d is not from 3 to 100000", c.Students)
	}
	opts, err := c.liveOptions(c.Throttle, log)
	if err != nil {
		return err
	}
	origins, err := c.origins()
	if err != nil {
		return err
	}
	proxies, err := c.proxies()
	if err != nil {
		return err
	}
	verifier, err := newDemoVerifier()
	if err != nil {
		return err
	}
	listener, err := listen(ctx, "--addr", c.Addr)
	if err != nil {
		return err
	}
	folder, err := os.MkdirTemp("", "marcador-demo-")
	if err != nil {
		return errors.Join(fmt.Errorf("make a folder for the temporary database: %w", err), listener.Close())
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()

	clock := demo.NewClock()
	opts.Now, opts.Schema = clock.Now, out.Schema
	service, err := live.Open(ctx, filepath.Join(folder, "demo.db"), opts)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	school := demo.New(service, verifier, log, c.Students)
	if err := school.Fill(ctx, clock); err != nil {
		if ctx.Err() != nil {
			err = nil // a signal ended the demo
		}
		return errors.Join(err, service.Close(), listener.Close())
	}
	lessons, stop := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() { school.Run(lessons) })
	defer func() { stop(); running.Wait() }()

	streams := c.streams(service.Hub(), log)
	handler := api.New(api.Options{
		Live: service, Streams: streams, Verifier: verifier, Log: log,
		Version: out.Version, Public: true, Origins: origins, Proxies: proxies, Demo: school.Handler(),
	})
	fmt.Fprintf(out.stdout, "Open %s in two windows, pick a student in each, and complete an exercise.\nCtrl-C ends the demo; nothing is kept.\n", urlOf(listener))
	return serve(ctx, listener, c.server(handler, streams, log), streams, nil, service, log)
}

// newDemoVerifier returns a verifier that signs with a random secret.
func newDemoVerifier() (*auth.Verifier, error) {
	secret := make([]byte, auth.MinSecret)
	_, _ = rand.Read(secret) // never fails
	return auth.NewVerifier(auth.Options{Secret: secret})
}
