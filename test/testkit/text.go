package testkit

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TextStream is a stream that is read line by line, as it comes.
type TextStream struct {
	tb    testing.TB
	lines chan string
	err   error // how it ended, nil for well; read it once lines is closed
}

// OpenText opens a stream over a transport, compressed with gzip or not.
func OpenText(tb testing.TB, over http.RoundTripper, url string, compressed bool) *TextStream {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		tb.Fatal(err)
	}
	req.Header.Set("Accept-Encoding", map[bool]string{true: "gzip", false: "identity"}[compressed])
	res, err := over.RoundTrip(req)
	if err != nil {
		tb.Fatal(err)
	}
	if got := res.Header.Get("Content-Encoding") == "gzip"; res.StatusCode != http.StatusOK || got != compressed {
		tb.Fatalf("%s: %v", res.Status, res.Header)
	}
	s := &TextStream{tb: tb, lines: make(chan string, 10_000)}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer close(s.lines)
		s.err = s.read(res.Body, compressed)
	}()
	tb.Cleanup(func() { cancel(); _ = res.Body.Close(); <-ended })
	return s
}

func (s *TextStream) read(body io.Reader, compressed bool) (err error) {
	if compressed {
		if body, err = gzip.NewReader(body); err != nil {
			return err
		}
	}
	for in := bufio.NewReader(body); ; {
		line, err := in.ReadString('\n')
		if errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		s.lines <- line
	}
}

// Until reads up to the end of the next event that contains the text. It waits for less than
// the 15 s after which a heartbeat would push the event along.
func (s *TextStream) Until(text string) {
	s.tb.Helper()
	late := time.After(10 * time.Second)
	for found := false; ; {
		select {
		case line, ok := <-s.lines:
			if !ok {
				s.tb.Fatalf("it ended before %q: %v", text, s.err)
			}
			found = found || strings.Contains(line, text)
			if found && line == "\n" {
				return
			}
		case <-late:
			s.tb.Fatalf("no %q", text)
		}
	}
}

// End reads to the end of the stream and returns the error that it ended with, if any.
func (s *TextStream) End() error {
	s.tb.Helper()
	late := time.After(Patience)
	for {
		select {
		case _, ok := <-s.lines:
			if !ok {
				return s.err
			}
		case <-late:
			s.tb.Fatal("it does not end")
		}
	}
}
