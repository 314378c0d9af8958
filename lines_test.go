package main

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tinylib/msgp/msgp"
)

// The largest board comes in lines that a client with a buffer of 64 KB can take, and each
// parser of ours puts them together.
func TestStream_lines(t *testing.T) {
	p, _, streams := beginOver(t, ways[0], "large") // each has got the whole page
	writer := tokenFor(t, "svc", "xp:write", time.Hour)
	p.call(writer, http.MethodPost, "/v1/users/u7/xp", `{"xp":5}`, nil)
	for _, h := range streams {
		h.until("id: ")
	}
	for _, format := range []string{"json", "msgpack"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.url+"/v1/events?format="+format, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := overHTTP1().RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = res.Body.Close() }() // it has no end
		name := ""
		for in := bufio.NewReaderSize(res.Body, 16<<10); name != "leaderboard:updated"; {
			line, err := in.ReadSlice('\n') // which fails where one is longer
			if err != nil {
				t.Fatalf("%s: %v after %.60s", format, err, line)
			}
			if text, is := strings.CutPrefix(string(line), "event: "); is {
				name = strings.TrimSpace(text)
			}
			for name == "leaderboard:updated" && string(line) != "\n" {
				if line, err = in.ReadSlice('\n'); err != nil {
					t.Fatalf("%s: %v after %.60s", format, err, line)
				}
			}
		}
		heard := p.follow("", "format="+format, "")
		next(t, heard, "authenticated")
		data := next(t, heard, "leaderboard:updated").data
		if lines := strings.Count(data, "\n"); lines < 10 {
			t.Errorf("%s: the data has %d line ends", format, lines)
		}
		if format == "msgpack" {
			packed, err := base64.StdEncoding.DecodeString(data)
			if err != nil {
				t.Fatal(err)
			}
			if rest, err := msgp.Skip(packed); err != nil || len(rest) > 0 {
				t.Errorf("%d bytes are left: %v", len(rest), err)
			}
			continue
		}
		var page struct{ Leaderboard []struct{ UserID string } }
		if err := json.Unmarshal([]byte(data), &page); err != nil || len(page.Leaderboard) != 100 || page.Leaderboard[0].UserID != "u7" {
			t.Errorf("%d rows, %v", len(page.Leaderboard), err)
		}
	}
}
