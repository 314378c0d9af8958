package main

import (
	"bufio"
	"errors"
	"io"
	"strings"
	"testing"
)

// until reads an event to its end, however long its lines are, and leaves the next event unread.
func TestReading_until(t *testing.T) {
	long := strings.Repeat("x", 10_000)
	s := &reading{lines: bufio.NewReader(strings.NewReader(
		"retry: 5\nevent: authenticated\ndata: {}\n\n" +
			"event: leaderboard:updated\ndata: " + long + "\ndata: event: ping\nid: 1\n\n" +
			"event: ping\ndata: {}\n\nevent: leaderboard:updated\ndata: 2\n\n"))}
	if err := s.until("leaderboard:updated"); err != nil {
		t.Fatal(err)
	}
	if line, err := s.lines.ReadString('\n'); line != "event: ping\n" || err != nil {
		t.Errorf("then comes %q, %v", line, err)
	}
	if err := s.until("leaderboard:updated"); err != nil {
		t.Error(err)
	}
	if err := s.until("ping"); !errors.Is(err, io.EOF) {
		t.Errorf("at the end: %v", err)
	}
}
