package sse_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"marcador/sse"
)

// An event that is larger than the kernel's buffer does not wait for delayed acknowledgements. On a
// socket it takes no longer than through net/http, which is given small pieces.
func TestListen_largeEventsAreNotDelayed(t *testing.T) {
	took := map[bool]time.Duration{}
	onBothTransports(t, sse.Options{}, func(t *testing.T, s *testServer) {
		c := s.connect("").begins()
		big := literal(`"` + strings.Repeat("x", 220_000) + `"`)
		var each []time.Duration
		for version := range int64(20) {
			began := time.Now()
			s.hub.Publish(sse.Publication{Topic: s.topic, State: sse.NewState(version+2, big), Since: began})
			if e := c.read(); len(e.data) < len(big) {
				t.Fatalf("event of %d bytes", len(e.data))
			}
			each = append(each, time.Since(began))
		}
		slices.Sort(each)
		took[s.raw] = each[len(each)/2]
	})
	if took[true] > 10*took[false] {
		t.Errorf("a large event took %v to its socket, %v through net/http", took[true], took[false])
	}
}
