package peers_test

import (
	"bufio"
	"net/http"
	"strings"
	"testing"

	"marcador/test/testkit"
)

// The ninth device of a user gets a stream, which replaces the oldest one. The oldest is told so,
// and has to wait when it comes back by itself, so it disturbs no other.
func TestDevices_nine(t *testing.T) {
	directAndProxied(t, func(t *testing.T, p, through *testkit.Program) {
		token := testkit.Token(t, "u1", "")
		var heard []chan heardEvent
		for range 9 {
			heard = append(heard, device(t, through, token, ""))
			if e := <-heard[len(heard)-1]; e.name != "authenticated" {
				t.Fatalf("event = %+v", e)
			}
		}
		var id string
		for e := range heard[0] {
			if e.name == "error" {
				id = e.id
			}
		}
		if !strings.HasSuffix(id, "!replaced") {
			t.Errorf("the oldest was told the id %q", id)
		}
		for range 3 { // it comes back, as often as it likes
			if e := <-device(t, through, token, id); e.name != "error" || !strings.HasSuffix(e.id, "!replaced") {
				t.Errorf("event = %+v", e)
			}
		}
		p.Give("u2", 7)
		for _, one := range heard[1:] {
			for e := range one {
				if e.name == "error" {
					t.Fatal("another device was told that it was replaced")
				}
				if strings.Contains(e.data, `"version":4`) {
					break
				}
			}
		}
	})
}

// heardEvent is an event of a stream.
type heardEvent struct{ name, data, id string }

// device follows the global board until the test ends, and sends what it hears.
func device(t *testing.T, p *testkit.Program, token, id string) chan heardEvent {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.URL+"/v1/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	if id != "" {
		req.Header.Set("Last-Event-ID", id)
	}
	req.Close = true
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if res.StatusCode != http.StatusOK {
		t.Fatalf("a device is answered with %d", res.StatusCode)
	}
	heard := make(chan heardEvent, 100)
	done := make(chan struct{})
	t.Cleanup(func() { _ = res.Body.Close(); <-done })
	go func() {
		defer close(done)
		defer close(heard)
		var e heardEvent
		for lines := bufio.NewScanner(res.Body); lines.Scan(); {
			switch field, value, _ := strings.Cut(lines.Text(), ": "); field {
			case "event":
				e.name = value
			case "data":
				e.data += value
			case "id":
				e.id = value
			case "":
				heard <- e
				e = heardEvent{}
			}
		}
	}()
	return heard
}
