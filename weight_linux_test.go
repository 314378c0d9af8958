package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// rss is how many MiB of memory the process has.
func rss(tb testing.TB, pid int) int {
	tb.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		tb.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	kilos, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		tb.Fatal(err)
	}
	return kilos >> 10
}

// weight watches the memory of a process until peak is called.
type weight struct {
	tb       testing.TB
	pid      int
	before   int
	most     atomic.Int64
	stop     context.CancelFunc
	watching sync.WaitGroup
}

func watchMemory(tb testing.TB, pid int) *weight {
	tb.Helper()
	ctx, stop := context.WithCancel(tb.Context())
	m := &weight{tb: tb, pid: pid, before: rss(tb, pid), stop: stop}
	m.watching.Go(func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				m.most.Store(max(m.most.Load(), int64(rss(tb, pid))))
			}
		}
	})
	return m
}

func (m *weight) peak() int {
	m.stop()
	m.watching.Wait()
	return max(int(m.most.Load()), rss(m.tb, m.pid))
}

// settles waits until the process has no more than so much above what it had at the start.
func (m *weight) settles(above int) {
	m.tb.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) { // real memory of a real process
		now := rss(m.tb, m.pid)
		if now <= m.before+above {
			m.tb.Logf("%d MiB at last", now)
			return
		}
		if time.Now().After(deadline) {
			m.tb.Errorf("a minute later it has %d MiB, %d at the start", now, m.before)
			return
		}
	}
}
