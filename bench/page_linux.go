package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"time"
)

const (
	pageRate  = 10 // updates a second that move rows
	movers    = 3  // users who get points in an update
	traceTime = 15 * time.Second
	pageParts = 5 // how often memory is measured
)

// page measures what the page costs a reader's machine: frames, the main thread and memory while
// rows move ten times a second, and the scores of Lighthouse.
func (b *bench) page(ctx context.Context) ([]*table, error) {
	audits, err := b.lighthouse(ctx)
	if err != nil {
		return nil, err
	}
	frames, memory, err := b.watchPage(ctx)
	if err != nil {
		return nil, err
	}
	return []*table{frames, memory, audits}, nil
}

// watchPage opens the page of a board with a hundred rows and moves the rows.
func (b *bench) watchPage(ctx context.Context) (frames, memory *table, err error) {
	s, err := b.program.start(ctx, "--public", "--top", "100")
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	w, err := openWindow(ctx, 1440, 900)
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	if err := w.visit(s.url + "/"); err != nil {
		return nil, nil, err
	}
	frames = &table{
		title: "page, frames",
		intro: fmt.Sprintf("A board of %d rows at 1440 × 900 in headless Chromium (%s). It draws in software, without a GPU, and shares the cores with the service and the load command. "+
			"Traced for %s while nothing happens, and while %d updates a second each give points to %d users, which moves rows. Frames are counted by Chromium (PipelineReporter); a dropped frame came too late to be presented. "+
			"Busy is the share of time in which the page's main thread works; a task is one run of its event loop.",
			people, w.version, traceTime, pageRate, movers),
		head: []string{"page", "frames/s", "dropped", "busy", "task, p99", "task, longest", "updates/s", "main frames/s"},
	}
	row := func(name string, moving bool) error {
		b.progress("page: %s", name)
		stop := func() error { return nil }
		if moving {
			stop = s.stir(ctx)
			if err := pause(ctx, 2*time.Second); err != nil {
				_ = stop() // err is the reason
				return err
			}
		}
		t, err := w.trace(traceTime)
		if err = errors.Join(err, stop()); err != nil {
			return err
		}
		seconds := t.time.Seconds()
		frames.add(name, fmt.Sprintf("%.1f", float64(t.presented)/seconds), percent(float64(t.dropped)/float64(max(t.presented+t.dropped, 1))),
			percent(t.busy.Seconds()/seconds), millis(float64(t.p99)), millis(float64(t.longest)), fmt.Sprintf("%.1f", float64(t.updates)/seconds), fmt.Sprintf("%.1f", float64(t.painted)/seconds))
		return nil
	}
	if err := errors.Join(row("idle", false), row("moving", true)); err != nil {
		return nil, nil, err
	}
	memory, err = b.watchMemory(ctx, s, w)
	return frames, memory, err
}

// watchMemory moves the rows for a long time. After each part of it, it collects garbage and counts
// what the page holds.
func (b *bench) watchMemory(ctx context.Context, s *service, w *window) (t *table, err error) {
	t = &table{
		title: "page, memory",
		intro: fmt.Sprintf("The same page with %d updates a second for %s. Counted after a garbage collection by Chromium's `Performance.getMetrics`.", pageRate, b.pageTime),
		head:  []string{"after", "heap", "nodes", "listeners", "documents", "rows", "updates"},
	}
	stop := s.stir(ctx)
	defer func() { err = errors.Join(err, stop()) }()
	began := time.Now()
	for part := range pageParts + 1 {
		if err := pause(ctx, max(time.Until(began.Add(b.pageTime*time.Duration(part)/pageParts)), 5*time.Second)); err != nil {
			return nil, err
		}
		m, err := w.memory()
		if err != nil {
			return nil, err
		}
		t.add(time.Since(began).Round(time.Second).String(), kilobytes(m["JSHeapUsedSize"]), fmt.Sprintf("%.0f", m["Nodes"]), fmt.Sprintf("%.0f", m["JSEventListeners"]),
			fmt.Sprintf("%.0f", m["Documents"]), fmt.Sprintf("%.0f", m["rows"]), fmt.Sprintf("%.0f", m["updates"]))
		b.progress("page: %v", t.rows[len(t.rows)-1])
	}
	return t, nil
}

// stir gives users points ten times a second until stop is called.
func (s *service) stir(ctx context.Context) (stop func() error) {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() {
		ticks := time.NewTicker(time.Second / pageRate)
		defer ticks.Stop()
		rng := rand.New(rand.NewPCG(4, 2)) //nolint:gosec // the same points in each run
		for {
			select {
			case <-ctx.Done():
				ended <- nil
				return
			case <-ticks.C:
			}
			var updates []map[string]any
			for range movers {
				updates = append(updates, map[string]any{"userId": personID(rng.IntN(people)), "xp": 20 + 5*rng.IntN(60)})
			}
			if err := s.post(ctx, "/v1/xp", map[string]any{"updates": updates}, new(any)); err != nil && ctx.Err() == nil {
				ended <- err
				return
			}
		}
	}()
	return func() error {
		cancel()
		return <-ended
	}
}

// lighthouse runs Lighthouse in node on the page of a public board, once with the network and
// processor of a phone and once with those of a desktop.
func (b *bench) lighthouse(ctx context.Context) (t *table, err error) {
	const audits = 3
	t = &table{
		title: "page, Lighthouse",
		intro: fmt.Sprintf("Lighthouse 12 with its simulated network and processor, and nothing cached. Performance is the worst and the best of %d runs.", audits),
		head:  []string{"device", "performance", "accessibility", "best practices", "SEO", "first paint", "largest", "blocked", "shift"},
	}
	s, err := b.program.start(ctx, "--public")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	if err := s.drawPictures(ctx); err != nil {
		return nil, err
	}
	path, err := chromium()
	if err != nil {
		return nil, err
	}
	for _, device := range []string{"mobile", "desktop"} {
		b.progress("page: Lighthouse, %s", device)
		args := []string{"tools/lighthouse.mjs", device, "performance,accessibility,best-practices,seo"}
		for range audits {
			args = append(args, s.url+"/")
		}
		var errs strings.Builder
		cmd := exec.CommandContext(ctx, "node", args...)
		cmd.Env, cmd.Stderr = append(os.Environ(), "CHROMIUM="+path), &errs
		out, err := cmd.Output()
		if err != nil {
			return nil, fmt.Errorf("lighthouse (if there is no node_modules, run npm ci): %w\n%s", err, errs.String())
		}
		type audit struct {
			Scores  map[string]int     `json:"scores"`
			Costs   []string           `json:"costs"`
			Metrics map[string]float64 `json:"metrics"`
		}
		var best audit
		worst := 100
		for line := range strings.Lines(string(out)) {
			var one audit
			if err := json.Unmarshal([]byte(line), &one); err != nil {
				return nil, fmt.Errorf("lighthouse says %s: %w", line, err)
			}
			worst = min(worst, one.Scores["performance"])
			if best.Scores == nil || one.Scores["performance"] > best.Scores["performance"] {
				best = one
			}
		}
		at := func(metric string) string { return fmt.Sprintf("%.2f s", best.Metrics[metric]/1e3) }
		t.add(device, fmt.Sprintf("%d to %d", worst, best.Scores["performance"]), fmt.Sprint(best.Scores["accessibility"]), fmt.Sprint(best.Scores["best-practices"]), fmt.Sprint(best.Scores["seo"]),
			at("first-contentful-paint"), at("largest-contentful-paint"), millis(best.Metrics["total-blocking-time"]*1e6), fmt.Sprintf("%.4f", best.Metrics["cumulative-layout-shift"]))
		for _, cost := range best.Costs {
			t.remark("%s: %s", device, cost)
		}
	}
	return t, nil
}

// drawPictures replaces avatars by pictures that need no other host. Otherwise each missing picture
// would be an error in the console, for which Lighthouse would blame the page.
func (s *service) drawPictures(ctx context.Context) error {
	var profiles []map[string]any
	for n := range people {
		p := profile(n)
		if _, has := p["avatar"]; has {
			p["avatar"] = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 1 1'%3E%3Crect width='1' height='1' fill='teal'/%3E%3C/svg%3E"
		}
		profiles = append(profiles, p)
	}
	return s.post(ctx, "/v1/users", map[string]any{"users": profiles}, new(any))
}
