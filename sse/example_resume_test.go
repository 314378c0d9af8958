package sse_test

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"marcador/sse"
)

// A client comes back with the last id that it saw. It gets the difference between the state that
// it has and the newest one.
func ExampleHub_Resume() {
	hub := sse.NewHub("weather1")
	roof := hub.NewTopic("roof")
	hub.Publish(sse.Publication{Topic: roof, State: sse.NewState(1, temperature(20))})

	const scope = "anybody: roof" // who follows what
	streams := sse.NewServer(hub, sse.Options{})
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := streams.Serve(w, r, sse.Stream{
			ID:      "stream-1",
			Format:  sse.Diff,
			Follows: []sse.Follow{{Topic: roof}},
			Scope:   scope,
			Resume:  hub.Resume(r.Header.Get("Last-Event-ID"), scope, 1),
			Greeting: func(recovered bool) []byte {
				return fmt.Appendf(nil, `{"recovered":%v}`, recovered)
			},
		})
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
		}
	})
	server := httptest.NewUnstartedServer(handler)
	server.Config.ConnContext = sse.ConnContext
	server.Start()
	defer server.Close()
	defer func() { _ = streams.Drain(context.Background()) }()

	// visit reads the first two events of a stream, leaves, and returns the last id.
	visit := func(lastID string) string {
		request, err := http.NewRequest(http.MethodGet, server.URL, nil)
		if err != nil {
			fmt.Println(err)
			return ""
		}
		request.Header.Set("Last-Event-ID", lastID)
		client, err := http.DefaultClient.Do(request)
		if err != nil {
			fmt.Println(err)
			return ""
		}
		defer func() { _ = client.Body.Close() }()
		events := bufio.NewReader(client.Body)
		printEvent(events)
		return printEvent(events)
	}

	lastID := visit("")
	hub.Publish(sse.Publication{Topic: roof, State: sse.NewState(2, temperature(23))})
	visit(lastID)

	// Output:
	// authenticated {"recovered":false}
	// temperature {"celsius":20}
	// authenticated {"recovered":true}
	// change {"celsius":"+3"}
}
