package main

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/r3labs/sse/v2"
)

// serveR3labs runs the server of github.com/r3labs/sse/v2 under net/http, without its replay log,
// which never shrinks.
func serveR3labs(frame []byte) error {
	event := sse.Event{}
	for line := range bytes.Lines(frame) {
		name, value, _ := bytes.Cut(bytes.TrimSuffix(line, []byte("\n")), []byte(": "))
		switch string(name) {
		case "event":
			event.Event = value
		case "data":
			event.Data = append(event.Data, value...) // the library splits no data into lines
		case "id":
			event.ID = value
		}
	}
	hub := sse.New()
	hub.AutoReplay = false
	hub.CreateStream("board")
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // the process ends it
	if err != nil {
		return err
	}
	at, ok := listener.Addr().(*net.TCPAddr)
	if !ok {
		return fmt.Errorf("listening on %s, which is not TCP", listener.Addr())
	}
	web := http.Server{Handler: hub, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		if err := web.Serve(listener); err != nil {
			fmt.Fprintln(os.Stderr, "bench: r3labs:", err)
		}
	}()
	// Publish would block when the hub's queue of 1,024 events is full.
	return obey(at.Port, func() { hub.TryPublish("board", &event) })
}
