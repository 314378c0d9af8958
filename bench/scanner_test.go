package main

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

const spoken = "retry: 1025\nevent: authenticated\ndata: {}\n\n" +
	"event: leaderboard:updated\ndata: {\"leaderboard\":[]}\nid: IAAF2ZVVIV-3.oc2B7RJhSlvJAQICAA\n\n" +
	"event: position_change\ndata: {}\nid: IAAF2ZVVIV-90412\n\n" +
	"event: ping\ndata: {}\n\n" +
	"id: \ndata: {}\nevent: leaderboard:updated\n\n" + // the order of r3labs
	"retry: 4200\nevent: goodbye\ndata: {\"reason\":\"shutdown\"}\n\n"

var heard = []event{
	{greetingEvent, 0, 1025},
	{boardEvent, 3, 0},
	{boardEvent, 90412, 0},
	{otherEvent, 0, 0},
	{boardEvent, 0, 0},
	{goodbyeEvent, 0, 4200},
}

// chunks encodes text in chunks of the size.
func chunks(text string, size int) string {
	var b strings.Builder
	for part := range slices.Chunk([]byte(text), size) {
		fmt.Fprintf(&b, "%X\r\n%s\r\n", len(part), part)
	}
	return b.String() + "0\r\n\r\n"
}

// all passes text to a scanner in pieces of the size.
func all(text string, size int) (*scanner, []event) {
	s := &scanner{}
	var got []event
	for piece := range slices.Chunk([]byte(text), size) {
		for {
			e, rest, ok := s.next(piece)
			if !ok {
				break
			}
			got = append(got, e)
			piece = rest
		}
	}
	return s, got
}

func TestScanner(t *testing.T) {
	const head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
	for name, text := range map[string]string{
		"until closed":         head + "\r\n" + spoken,
		"one chunk":            head + "Transfer-Encoding: chunked\r\n\r\n" + chunks(spoken, len(spoken)),
		"chunks inside a line": head + "transfer-encoding: Chunked\r\n\r\n" + chunks(spoken, 11),
	} {
		for size := 1; size <= len(text); size++ {
			s, got := all(text, size)
			if s.status != 200 || !s.open || !slices.Equal(got, heard) {
				t.Fatalf("%s, in pieces of %d: status %d, got %v, want %v", name, size, s.status, got, heard)
			}
		}
	}
}

func TestScanner_gzip(t *testing.T) {
	var body bytes.Buffer
	zip := gzip.NewWriter(&body)
	text := "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n"
	for i := range 5 {
		fmt.Fprintf(zip, "event: leaderboard:updated\ndata: %s\n", strings.Repeat(fmt.Sprint(i), 50*i))
		err := zip.Flush()
		fmt.Fprintf(zip, "id: %d\n\n", i)
		if err = errors.Join(err, zip.Flush()); err != nil {
			t.Fatal(err)
		}
		text += fmt.Sprintf("%x\r\n%s\r\n", body.Len(), &body)
		body.Reset()
	}
	for size := 1; size <= len(text); size++ {
		if _, got := all(text, size); len(got) != 5 || got[0].kind != boardEvent {
			t.Fatalf("in pieces of %d: got %v, want 5 frames", size, got)
		}
	}
}

// A response has the same events, however it is cut into pieces.
func FuzzScanner(f *testing.F) {
	const head = "HTTP/1.1 200 OK\r\n"
	f.Add(head+"\r\n"+spoken, 7)
	f.Add(head+"Transfer-Encoding: chunked\r\n\r\n"+chunks(spoken, 16), 5)
	f.Add(head+"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\ndata: x\n\n", 3)
	f.Add(head+"Content-Encoding: gzip\r\n\r\n\x00\x00\x00\xff\xff\x00\x00\xff\xff", 1)
	f.Fuzz(func(t *testing.T, text string, size int) {
		if len(text) == 0 || size < 1 {
			t.Skip()
		}
		whole, want := all(text, len(text))
		cut, got := all(text, size)
		if cut.status != whole.status || cut.open != whole.open || cut.ended != whole.ended || !slices.Equal(got, want) {
			t.Errorf("in pieces of %d: got status %d, %v, want %d, %v", size, cut.status, got, whole.status, want)
		}
	})
}

func TestScanner_refused(t *testing.T) {
	s, got := all("HTTP/1.1 422 Unprocessable Entity\r\nContent-Length: 2\r\n\r\n{}", 7)
	if s.status != 422 || len(got) > 0 {
		t.Errorf("got status %d, %v", s.status, got)
	}
}
