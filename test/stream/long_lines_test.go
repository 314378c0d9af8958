package stream_test

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/tinylib/msgp/msgp"

	"marcador/test/testkit"
)

// longestLine is what the lines of a stream have at most, in bytes: some clients have a buffer
// of 64 KB.
const longestLine = 16 << 10

// The largest board comes in short lines, and parsers put them together again.
func TestStream_longDataInShortLines(t *testing.T) {
	p := testkit.Serve(t, "--public")
	p.EnrolWithAvatars(100, 2000)
	p.Give("u7", 5)
	for _, format := range []string{"json", "msgpack"} {
		readPageByLine(t, p, format)
		heard := p.Follow("", "format="+format, "")
		testkit.Next(t, heard, "authenticated")
		data := testkit.Next(t, heard, "leaderboard:updated").Data
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

// readPageByLine reads a stream up to the end of its first page, and fails at a longer line.
func readPageByLine(t *testing.T, p *testkit.Program, format string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.URL+"/v1/events?format="+format, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := testkit.HTTP1().RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }() // it has no end
	in := bufio.NewReaderSize(res.Body, longestLine)
	for page := false; ; {
		line, err := in.ReadSlice('\n')
		if err != nil {
			t.Fatalf("%s: %v after %.60s", format, err, line)
		}
		page = page || strings.HasPrefix(string(line), "event: leaderboard:updated")
		if page && string(line) == "\n" {
			return
		}
	}
}
