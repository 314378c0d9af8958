package sse_test

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"marcador/sse"
)

// temperature is the content of a topic, in degrees Celsius.
type temperature int

// Snapshot implements sse.Content.
func (c temperature) Snapshot() sse.Event {
	return sse.Event{Name: "temperature", Data: fmt.Appendf(nil, `{"celsius":%d}`, c)}
}

// Since implements sse.Content.
func (c temperature) Since(earlier sse.Content) sse.Event {
	from, _ := earlier.(temperature)
	return sse.Event{Name: "change", Data: fmt.Appendf(nil, `{"celsius":"%+d"}`, c-from)}
}

// A client follows one topic. It gets the newest state, and then each state that is published.
func Example() {
	hub := sse.NewHub("weather1")
	roof := hub.NewTopic("roof")
	hub.Publish(sse.Publication{Topic: roof, State: sse.NewState(1, temperature(20))})

	streams := sse.NewServer(hub, sse.Options{})
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := streams.Serve(w, r, sse.Stream{
			ID:       "stream-1",
			Greeting: func(bool) []byte { return []byte(`{"success":true}`) },
			Follows:  []sse.Follow{{Topic: roof}},
		})
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
		}
	})
	server := httptest.NewUnstartedServer(handler)
	server.Config.ConnContext = sse.ConnContext // the raw transport needs it
	server.Start()
	defer server.Close()
	defer func() { _ = streams.Drain(context.Background()) }() // before the server closes

	client, err := http.Get(server.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = client.Body.Close() }()
	events := bufio.NewReader(client.Body)
	printEvent(events)
	printEvent(events)

	news := sse.Publication{Topic: roof, State: sse.NewState(2, temperature(21)), Since: time.Now()}
	hub.Publish(news)
	printEvent(events)

	// Output:
	// authenticated {"success":true}
	// temperature {"celsius":20}
	// temperature {"celsius":21}
}

// printEvent prints the name and the data of the next event, and returns its id.
func printEvent(events *bufio.Reader) (id string) {
	var name, data string
	for {
		line, err := events.ReadString('\n')
		if err != nil {
			fmt.Println(err)
			return ""
		}
		field, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch field {
		case "event":
			name = value
		case "data":
			data = value
		case "id":
			id = value
		case "": // an empty line ends the event
			fmt.Println(name, data)
			return id
		}
	}
}
