package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"sync"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/heapprofiler"
	"github.com/chromedp/cdproto/performance"
	"github.com/chromedp/cdproto/tracing"
	"github.com/chromedp/chromedp"
)

// window is a page in a Chromium of its own.
type window struct {
	ctx     context.Context
	end     func()
	version string
}

// chromium returns the path of the browser: $CHROMIUM, or else chromium on PATH.
func chromium() (string, error) {
	path, err := exec.LookPath(cmp.Or(os.Getenv("CHROMIUM"), "chromium"))
	if err != nil {
		return "", fmt.Errorf("the page is measured in Chromium: install it, or set CHROMIUM to its path (%w)", err)
	}
	return path, nil
}

// openWindow starts Chromium, which can reach no other host.
func openWindow(ctx context.Context, width, height int64) (*window, error) {
	path, err := chromium()
	if err != nil {
		return nil, err
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox,
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"), chromedp.WindowSize(int(width), int(height)))
	ctx, stop := chromedp.NewExecAllocator(ctx, options...)
	ctx, end := chromedp.NewContext(ctx)
	w := &window{ctx: ctx, end: func() { end(); stop() }}
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(width, height)); err != nil {
		w.end()
		return nil, fmt.Errorf("start Chromium: %w", err)
	}
	version, err := chromedp.CallBrowser(ctx, browser.GetVersion, cdp.Empty{})
	if err != nil {
		return nil, errors.Join(err, w.close())
	}
	w.version = version.Product
	return w, nil
}

func (w *window) close() error {
	err := chromedp.Cancel(w.ctx)
	w.end()
	return err
}

// visit opens an address and waits until the board is live.
func (w *window) visit(url string) error {
	if err := chromedp.Do(w.ctx, chromedp.Navigate(url)); err != nil {
		return err
	}
	const live = `document.querySelector("#status").dataset.status === "live" && document.querySelectorAll("tr[data-user-id]").length >= 100`
	_, err := chromedp.Run(w.ctx, chromedp.Poll[bool](live, chromedp.WithPollingInterval(50*time.Millisecond), chromedp.WithPollingTimeout(20*time.Second)))
	if err != nil {
		return fmt.Errorf("the page is not live: %w", err)
	}
	const count = `(() => {
		window.updates = 0;
		new MutationObserver(() => { updates += 1 }).observe(document.querySelector("#time"), { attributeFilter: ["datetime"] });
		return true;
	})()`
	_, err = chromedp.Run(w.ctx, chromedp.Evaluate[bool](count))
	return err
}

// memory collects garbage and returns Chromium's metrics of the page, with the number of rows and
// of the updates that the page has shown.
func (w *window) memory() (map[string]float64, error) {
	if _, err := chromedp.Call(w.ctx, performance.Enable, performance.EnableParams{}); err != nil {
		return nil, err
	}
	for range 2 { // the second collects what finalizers have released
		if _, err := chromedp.Call(w.ctx, heapprofiler.CollectGarbage, cdp.Empty{}); err != nil {
			return nil, err
		}
	}
	found, err := chromedp.Call(w.ctx, performance.GetMetrics, cdp.Empty{})
	if err != nil {
		return nil, err
	}
	metrics := make(map[string]float64)
	for _, one := range found.Metrics {
		metrics[one.Name] = one.Value
	}
	for name, expression := range map[string]string{"rows": `document.querySelectorAll("tr[data-user-id]").length`, "updates": `updates`} {
		if metrics[name], err = chromedp.Run(w.ctx, chromedp.Evaluate[float64](expression)); err != nil {
			return nil, err
		}
	}
	return metrics, nil
}

// updates returns how many updates the page has shown since visit.
func (w *window) updates() (float64, error) {
	return chromedp.Run(w.ctx, chromedp.Evaluate[float64](`updates`))
}

// traced has the figures of a trace.
type traced struct {
	time      time.Duration
	presented int // frames
	dropped   int
	painted   int // frames that the main thread has drawn
	busy      time.Duration
	p99       time.Duration // of tasks
	longest   time.Duration
	updates   int // updates that the page has shown
}

// traceEvent has the fields of a trace event that are needed. Times are in microseconds.
type traceEvent struct {
	Name  string  `json:"name"`
	Phase string  `json:"ph"`
	PID   int     `json:"pid"`
	TID   int     `json:"tid"`
	Time  float64 `json:"ts"`
	Took  float64 `json:"dur"`
	Args  struct {
		Name     string `json:"name"`
		Reporter struct {
			State    string `json:"state"`
			Sequence int    `json:"frame_sequence"` // two reports of one frame have the same
		} `json:"frame_reporter"`
	} `json:"args"`
}

// trace records what Chromium does for a while.
func (w *window) trace(d time.Duration) (*traced, error) {
	var mu sync.Mutex
	var events []traceEvent // guarded by mu
	var broken error        // guarded by mu
	done := make(chan struct{})
	listening, enough := context.WithCancel(w.ctx)
	defer enough()
	err := chromedp.ListenBrowser(listening, func(event any) {
		switch e := event.(type) {
		case *tracing.EventDataCollected:
			mu.Lock()
			defer mu.Unlock()
			for _, value := range e.Value {
				var one traceEvent
				if err := json.Unmarshal(value, &one); err != nil {
					broken = err
				}
				events = append(events, one)
			}
		case *tracing.EventTracingComplete:
			close(done)
		}
	})
	if err != nil {
		return nil, err
	}
	config := &tracing.TraceConfig{IncludedCategories: []string{"cc", "benchmark", "toplevel", "devtools.timeline", "disabled-by-default-devtools.timeline", "disabled-by-default-devtools.timeline.frame"}, ExcludedCategories: []string{"*"}}
	if _, err := chromedp.CallBrowser(w.ctx, tracing.Start, tracing.StartParams{TraceConfig: config}); err != nil {
		return nil, err
	}
	before, err := w.updates()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	if err := pause(w.ctx, d); err != nil {
		return nil, err
	}
	took := time.Since(began)
	after, err := w.updates()
	if err != nil {
		return nil, err
	}
	if _, err := chromedp.CallBrowser(w.ctx, tracing.End, cdp.Empty{}); err != nil {
		return nil, err
	}
	select {
	case <-done:
	case <-time.After(30 * time.Second):
		return nil, errors.New("the trace does not end")
	}
	mu.Lock()
	defer mu.Unlock()
	if broken != nil {
		return nil, fmt.Errorf("read the trace: %w", broken)
	}
	t := digest(events, took)
	t.updates = int(after - before)
	return t, nil
}

// digest counts the frames and tasks of the page's process: the renderer process that draws most.
func digest(events []traceEvent, took time.Duration) *traced {
	type thread struct{ pid, tid int }
	mains := make(map[thread]bool)
	drawn := make(map[int]int)
	for _, e := range events {
		if e.Name == "thread_name" && e.Args.Name == "CrRendererMain" {
			mains[thread{e.PID, e.TID}] = true
		}
		if e.Name == "PipelineReporter" {
			drawn[e.PID]++
		}
	}
	var main thread
	for one := range mains {
		if main.pid == 0 || drawn[one.pid] > drawn[main.pid] {
			main = one
		}
	}
	t := &traced{time: took}
	frames := make(map[int]bool) // whether a frame was presented, by sequence
	var tasks []time.Duration
	for _, e := range events {
		if e.PID != main.pid {
			continue
		}
		switch {
		case e.Name == "PipelineReporter":
			switch r := e.Args.Reporter; r.State {
			case "STATE_PRESENTED_ALL", "STATE_PRESENTED_PARTIAL":
				frames[r.Sequence] = true
			case "STATE_DROPPED":
				if !frames[r.Sequence] {
					frames[r.Sequence] = false
				}
			}
		case e.TID == main.tid && e.Name == "RunTask":
			tasks = append(tasks, time.Duration(e.Took*1e3))
		case e.TID == main.tid && e.Name == "Commit":
			t.painted++
		}
	}
	for _, presented := range frames {
		if presented {
			t.presented++
		} else {
			t.dropped++
		}
	}
	slices.Sort(tasks)
	for _, task := range tasks {
		t.busy += task
	}
	if n := len(tasks); n > 0 {
		t.p99, t.longest = tasks[n*99/100], tasks[n-1]
	}
	return t
}
