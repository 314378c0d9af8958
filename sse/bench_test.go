package sse_test

import (
	"fmt"
	"strings"
	"testing"

	"marcador/sse"
)

// Each operation publishes a state of 1 or 18 KB and encodes it for each of 1,000 clients. System
// calls, which take most of a real fan-out, are left out.
func BenchmarkHub_Publish(b *testing.B) {
	formats := map[string]sse.Format{"whole": 0, "diff": sse.Diff, "gzip": sse.Diff | sse.Gzip}
	for _, size := range []int{1 << 10, 18 << 10} {
		text := literal(`"` + strings.Repeat("x", size) + `"`)
		for name, format := range formats {
			b.Run(fmt.Sprintf("%s/%dB", name, size), func(b *testing.B) {
				hub := sse.NewHub("e")
				topic := hub.NewTopic("board")
				server := sse.NewServer(hub, sse.Options{})
				var clients []*sse.Client
				for i := range 1000 {
					stream := streamOf(sse.Follow{Topic: topic})
					stream.ID, stream.Format = fmt.Sprint(i), format
					c, _ := sse.Connect(server, stream)
					clients = append(clients, c)
				}
				b.ReportAllocs()
				version := int64(0)
				for b.Loop() {
					version++
					hub.Publish(sse.Publication{Topic: topic, State: sse.NewState(version, text)})
					for _, c := range clients {
						if len(c.Update()) == 0 {
							b.Fatal("a client lacks nothing")
						}
					}
				}
			})
		}
	}
}
