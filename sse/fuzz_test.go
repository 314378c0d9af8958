package sse_test

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/tinylib/msgp/msgp"

	"marcador/sse"
)

// Any data is read back as it was, in one event with the name and id that the event was given.
func FuzzEvent(f *testing.F) {
	for _, s := range []string{
		"", "x", "a\nb", "a\r\nb", "a\rb", "\n", "\r", "\r\n\r\n", "x\n\nevent: evil\ndata: {}\n\n",
		"\u2028\u2029\u0085", ": comment", "id: 9", "retry: 1", "\x00", "\xff\n", " lead", "\ufeff",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		quoted, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		for _, data := range []string{string(quoted), s} { // also data that is not JSON
			for _, id := range []string{"", "e-7"} {
				wire := string(sse.Encode(0, sse.Event{Name: "news", Data: []byte(data)}, id))
				want := lineFeeds.Replace(data)
				if got := strictly(t, wire, id); got != want {
					t.Fatalf("%q came back as %q", want, got)
				}
			}
		}
		if !utf8.ValidString(s) {
			return
		}
		wire := string(sse.Encode(sse.MsgPack, sse.Event{Name: "news", Data: quoted}, ""))
		packed, err := base64.StdEncoding.DecodeString(strictly(t, wire, ""))
		if err != nil {
			t.Fatal(err)
		}
		if got, _, err := msgp.ReadStringBytes(packed); err != nil || got != s {
			t.Fatalf("%q came back from MessagePack as %q, %v", s, got, err)
		}
	})
}

// strictly reads one event with the name news, as the standard tells clients to, and returns its
// data. Anything else in the text is an error.
func strictly(t *testing.T, wire, id string) string {
	t.Helper()
	text, ended := strings.CutSuffix(lineFeeds.Replace(wire), "\n\n")
	if !ended {
		t.Fatalf("%q does not end", wire)
	}
	var data []string
	seen := map[string]string{}
	for line := range strings.SplitSeq(text, "\n") {
		field, value, found := strings.Cut(line, ":")
		if !found || field == "" {
			t.Fatalf("%q has the line %q", wire, line)
		}
		value = strings.TrimPrefix(value, " ")
		if field == "data" {
			data = append(data, value)
			continue
		}
		if _, twice := seen[field]; twice {
			t.Fatalf("%q has %s twice", wire, field)
		}
		seen[field] = value
	}
	if seen["event"] != "news" || seen["id"] != id || len(seen) > 2 || id == "" && len(seen) > 1 {
		t.Fatalf("%q has %v", wire, seen)
	}
	return strings.Join(data, "\n")
}
