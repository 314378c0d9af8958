package main

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

// A short soak passes: no request and no stream fails, and all sums are equal.
func TestSoak(t *testing.T) {
	var out, log bytes.Buffer
	if err := run(t.Context(), []string{"-soak", "6s", "-idle", "1", "-idle-tls", "1", "-drain", "1", "-streams", "1", "soak"}, &out, &log); err != nil {
		t.Fatalf("%v\n%s", err, &log)
	}
	if got := strings.Count(out.String(), "\n| "); got != soakRows+2 {
		t.Errorf("the table has %d lines, want %d:\n%s", got, soakRows+2, &out)
	}
}

func TestGrows(t *testing.T) {
	flat := func() []state {
		states := make([]state, soakRows)
		for i := range states {
			states[i] = state{rss: 100 << 20, heap: 50 << 20, goroutines: 100, files: 600}
		}
		return states
	}
	for name, c := range map[string]struct {
		change func(*state, int)
		d      time.Duration
		want   string
	}{
		"flat":           {func(*state, int) {}, time.Hour, ""},
		"warms up":       {func(st *state, i int) { st.rss = min(st.rss, int64(i+1)<<25) }, time.Hour, ""},
		"RSS":            {func(st *state, i int) { st.rss += int64(i) << 22 }, time.Hour, "RSS"},
		"RSS, too short": {func(st *state, i int) { st.rss += int64(i) << 22 }, time.Minute, ""},
		"heap":           {func(st *state, i int) { st.heap += int64(i) << 22 }, time.Hour, "heap"},
		"goroutines":     {func(st *state, i int) { st.goroutines += int64(10 * i) }, time.Minute, "goroutines"},
		"files":          {func(st *state, i int) { st.files += int64(50 * i) }, time.Minute, "open files"},
	} {
		t.Run(name, func(t *testing.T) {
			states := flat()
			for i := range states {
				c.change(&states[i], i)
			}
			switch err := grows(states, c.d); {
			case c.want == "" && err != nil:
				t.Error(err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("error = %v, want %q", err, c.want)
			}
		})
	}
	if grows(flat()[1:], time.Hour) == nil {
		t.Error("an interrupted run passes")
	}
}
