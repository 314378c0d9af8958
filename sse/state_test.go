package sse_test

import (
	"bufio"
	"bytes"
	"strings"
	"testing"

	"marcador/sse"
)

// event is what a parser makes of one.
type event struct{ name, data, id string }

// parse reads events the way the standard says a browser does. It is for data
// that r3labs' client, which the program's own tests use, would not split.
func parse(tb testing.TB, stream []byte) (events []event) {
	tb.Helper()
	var e event
	var data []string
	lines := bufio.NewScanner(bytes.NewReader(bytes.ReplaceAll(bytes.ReplaceAll(stream, []byte("\r\n"), []byte("\n")), []byte("\r"), []byte("\n"))))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		field, value, _ := strings.Cut(lines.Text(), ":")
		value = strings.TrimPrefix(value, " ")
		switch field {
		case "":
			if len(data) > 0 {
				e.data = strings.Join(data, "\n")
				events = append(events, e)
			}
			e, data = event{}, nil
		case "event":
			e.name = value
		case "data":
			data = append(data, value)
		case "id":
			e.id = value
		case "retry":
		default:
			tb.Errorf("a line that no parser knows: %q", lines.Text())
		}
	}
	return events
}

func TestNewState(t *testing.T) {
	s := sse.NewState("abc", 7, "news", []byte(`{"a":1}`))
	if got, want := string(sse.Frame(s)), "event: news\ndata: {\"a\":1}\nid: abc-7\n\n"; got != want {
		t.Errorf("frame = %q, want %q", got, want)
	}
}

// FuzzNewState: no data can end its event, name another or set an id.
func FuzzNewState(f *testing.F) {
	for _, data := range []string{"{}", "", "\n", "a\r\nb\rc\nd", "x\n\nevent: error\ndata: y\n\n", "\r\r\n\n", "id: 1\n", " leading"} {
		f.Add([]byte(data))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		events := parse(t, sse.Frame(sse.NewState("e", 1, "news", data)))
		want := strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(string(data))
		if len(events) != 1 || events[0] != (event{"news", want, "e-1"}) {
			t.Errorf("%q became %+v", data, events)
		}
	})
}
