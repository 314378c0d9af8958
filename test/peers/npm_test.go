package peers_test

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"marcador/test/testkit"
	"marcador/test/testkit/proxy"
)

// fromNPM follows a stream with one of npm's clients, as tools/peers.mjs names them, and with a
// token if it is given one. "(failure)" and "(end)" are the events of a connection that ended.
func fromNPM(tb testing.TB, client, url string, token ...string) <-chan testkit.Message {
	tb.Helper()
	cmd := exec.CommandContext(tb.Context(), "node", append([]string{testkit.Path("tools/peers.mjs"), client, url}, token...)...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	var errs testkit.Log
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	heard, ended := make(chan testkit.Message, 1000), make(chan struct{})
	go func() {
		defer close(ended)
		defer close(heard)
		for lines := json.NewDecoder(out); ; {
			var m struct{ Type, ID, Data string }
			if lines.Decode(&m) != nil {
				return // it has ended
			}
			heard <- testkit.Message{Event: m.Type, ID: m.ID, Data: m.Data}
		}
	}()
	tb.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		<-ended
		_ = cmd.Wait() // it was killed
		if errs.String() != "" {
			tb.Errorf("%s says: %s", client, &errs)
		}
	})
	return heard
}

// begins waits for the beginning of a stream, whatever comes before.
func begins(tb testing.TB, heard <-chan testkit.Message, recovered bool) {
	tb.Helper()
	if m := testkit.Later(tb, heard, "authenticated"); !strings.Contains(m.Data, fmt.Sprintf(`"recovered":%v`, recovered)) {
		tb.Fatalf("authenticated = %s", m.Data)
	}
}

// npm's clients for Node follow a stream, go on from where they were when the network breaks, and
// come back to a server that was killed. Those that come back after a regular end come back after a
// goodbye as well.
func TestNPM_reconnects(t *testing.T) {
	for _, client := range []string{"eventsource", "fetch-event-source"} {
		t.Run(client, func(t *testing.T) {
			addr, db := testkit.FreeAddress(t), testkit.Database(t)
			spawn := func() *testkit.Process {
				return testkit.Spawn(t, db, "--addr", addr, "--public", "--heartbeat", "30s")
			}
			p := spawn()
			p.Enrol(3)
			relay := proxy.NewRelay(t, addr)
			heard := fromNPM(t, client, relay.URL+"/v1/events?mode=diff")
			begins(t, heard, false)
			first := testkit.Next(t, heard, "leaderboard:updated")
			p.Give("u2", 7)
			m := testkit.Next(t, heard, "position_change")
			if first.ID == "" || m.ID == first.ID || !strings.Contains(m.Data, `"userId":"u2"`) {
				t.Errorf("after %q came %q: %s", first.ID, m.ID, m.Data)
			}

			relay.Cut()
			p.Give("u2", 7) // while the client is away
			testkit.Later(t, heard, "(failure)")
			begins(t, heard, true)
			testkit.Next(t, heard, "position_change")

			p.Kill()
			testkit.Next(t, heard, "(failure)") // and no "(end)" before
			p = spawn()
			begins(t, heard, false)
			testkit.Next(t, heard, "leaderboard:updated")
			p.Give("u2", 7)
			testkit.Next(t, heard, "position_change")

			p.Signal(syscall.SIGTERM)
			testkit.Next(t, heard, "goodbye")
			if client == "fetch-event-source" {
				testkit.Next(t, heard, "(end)") // after which it stays away, unless its onclose throws
				return
			}
			p.AwaitEnd()
			spawn()
			begins(t, heard, false)
		})
	}
}

// npm's clients for Node are told that a newer stream of their user has replaced theirs. They wait
// until it has gone, do not disturb it, and then go on from where they were. (fetch-event-source
// stays away after a regular end, unless its onclose throws.)
func TestNPM_replaced(t *testing.T) {
	t.Setenv("MARCADOR_HURRY", "50")
	for _, client := range []string{"eventsource", "fetch-event-source that throws"} {
		t.Run(client, func(t *testing.T) {
			p := testkit.Serve(t, "--max-streams-per-user", "1")
			p.Enrol(2)
			token := testkit.Token(t, "u1", "")
			url := p.URL + "/v1/events?mode=diff"
			heard := fromNPM(t, client, url, token)
			begins(t, heard, false)
			testkit.Next(t, heard, "leaderboard:updated")

			other := testkit.StartCurl(t, "-H", "Authorization: Bearer "+token, url)
			other.Until("event: leaderboard:updated")
			for range 3 { // it comes back, and has to wait
				if m := testkit.Later(t, heard, "error"); !strings.Contains(m.Data, `"code":"replaced"`) || !strings.HasSuffix(m.ID, "!replaced") {
					t.Fatalf("error = %q: %s", m.ID, m.Data)
				}
			}
			p.Give("u2", 7)
			for _, line := range other.Until("event: position_change") {
				if strings.HasPrefix(line, "event: error") {
					t.Error("the other device was disturbed")
				}
			}

			other.Kill()
			begins(t, heard, true)
			if m := testkit.Later(t, heard, "position_change"); !strings.Contains(m.Data, `"userId":"u2"`) {
				t.Errorf("position_change = %s", m.Data)
			}
		})
	}
}
