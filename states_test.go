package main

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// What tests know of the page: the rest of it can change.
const (
	rowsOf   = `document.querySelectorAll("tr[data-user-id]")`
	isLive   = `document.querySelector("#status").dataset.status === "live" && ` + rowsOf + `.length > 0`
	bannerOn = `document.querySelector("#banner").classList.contains("shown")`
	noticeOn = `!document.querySelector("#notice").hidden`
	dockOn   = `!document.querySelector("#me").hidden`
	waiting  = `document.querySelector("#table").getAttribute("aria-busy") === "true"`
)

// statusIs is the condition that the page's mark says so.
func statusIs(status string) string {
	return fmt.Sprintf(`document.querySelector("#status").dataset.status === %q`, status)
}

// rowOf is the row of somebody.
func rowOf(user string) string {
	return fmt.Sprintf(`document.querySelector('tr[data-user-id=%q]')`, user)
}

// middling is somebody whose row is far below the window's edge.
const middling = `[...` + rowsOf + `].at(-2).dataset.userId`

// visit opens an address at noon and waits for each condition.
func visit(tb testing.TB, ctx context.Context, url string, conditions ...string) {
	tb.Helper()
	atNoon(tb, ctx)
	must(tb, ctx, chromedp.Navigate(url))
	for _, condition := range conditions {
		until(tb, ctx, condition)
	}
}

// state is one that the page can be in. open takes a new window into it, and it
// stays so until something is pressed.
type state struct {
	name string
	open func(tb testing.TB, ctx context.Context)
}

// states are all that the page can be in, of servers that are started when they
// are first needed and end with tb.
func states(tb testing.TB) []state {
	tb.Helper()
	school := sync.OnceValue(func() *program { return quietSchool(tb, 24, false) })
	demo := sync.OnceValue(func() *program { return quietSchool(tb, 24, true) })
	empty := sync.OnceValue(func() *program {
		return serveOn(tb, "127.0.0.1:0", filepath.Join(tb.TempDir(), "m.db"), "--public")
	})
	closed := sync.OnceValue(func() *program { return serveOn(tb, "127.0.0.1:0", filepath.Join(tb.TempDir(), "m.db")) })
	shut := sync.OnceValue(func() *gate { return before(tb, school()) })
	return []state{
		{"live", func(tb testing.TB, ctx context.Context) {
			tb.Helper()
			visit(tb, ctx, school().url, isLive)
		}},
		{"own", func(tb testing.TB, ctx context.Context) {
			tb.Helper()
			visit(tb, ctx, school().url, isLive)
			signIn(tb, ctx, eval[string](tb, ctx, middling))
			must(tb, ctx, chromedp.Reload())
			until(tb, ctx, isLive)
			until(tb, ctx, dockOn)
		}},
		{"demo", func(tb testing.TB, ctx context.Context) {
			tb.Helper()
			visit(tb, ctx, demo().url, isLive)
			visit(tb, ctx, demo().url+"/?student="+eval[string](tb, ctx, middling), isLive, dockOn)
		}},
		{"loading", func(tb testing.TB, ctx context.Context) {
			tb.Helper()
			shut().holding.Store(true)
			tb.Cleanup(func() { shut().holding.Store(false) })
			visit(tb, ctx, shut().url, statusIs("connecting"), waiting)
		}},
		{"empty", func(tb testing.TB, ctx context.Context) {
			tb.Helper()
			visit(tb, ctx, empty().url, statusIs("live"), noticeOn)
		}},
		{"closed", func(tb testing.TB, ctx context.Context) {
			tb.Helper()
			visit(tb, ctx, closed().url, statusIs("readonly"), noticeOn)
		}},
		{"offline", func(tb testing.TB, ctx context.Context) {
			tb.Helper()
			hurry(tb, ctx)
			shut().refusing.Store(false)
			visit(tb, ctx, shut().url, isLive)
			shut().refusing.Store(true)
			tb.Cleanup(func() { shut().refusing.Store(false) })
			shut().cut()
			until(tb, ctx, statusIs("offline"))
		}},
		{"lost", func(tb testing.TB, ctx context.Context) {
			tb.Helper()
			hurry(tb, ctx)
			shut().refusing.Store(true)
			tb.Cleanup(func() { shut().refusing.Store(false) })
			visit(tb, ctx, shut().url, statusIs("offline"), noticeOn)
		}},
		{"readonly", func(tb testing.TB, ctx context.Context) {
			tb.Helper()
			visit(tb, ctx, demo().url+"/?student=-", statusIs("readonly"), rowsOf+`.length > 0`)
		}},
		{"kiosk", func(tb testing.TB, ctx context.Context) {
			tb.Helper()
			visit(tb, ctx, school().url+"/?kiosk", isLive)
		}},
	}
}

// hurry lets a window's timers of a second and more go off fifty times as fast, so
// that five tries take no half a minute.
func hurry(tb testing.TB, ctx context.Context) {
	tb.Helper()
	beforehand(tb, ctx, `{
		const real = setTimeout;
		setTimeout = (what, ms, ...given) => real(what, ms >= 500 ? ms / 50 : ms, ...given);
		const random = Math.random;
		Math.random = () => random() / 50;
	}`)
}

// prefer sets what the reader's system prefers: media features and their values.
func prefer(tb testing.TB, ctx context.Context, features ...string) {
	tb.Helper()
	var params emulation.SetEmulatedMediaParams
	for i := 0; i+1 < len(features); i += 2 {
		params.Features = append(params.Features, &emulation.MediaFeature{Name: features[i], Value: features[i+1]})
	}
	send(tb, ctx, emulation.SetEmulatedMedia, params)
}

// settle waits until nothing moves that will come to rest, and all pictures are there.
func settle(tb testing.TB, ctx context.Context) {
	tb.Helper()
	until(tb, ctx, `[...document.images].every((image) => image.complete) &&
		document.getAnimations().every((one) => one.playState !== "running" || one.effect.getComputedTiming().endTime === Infinity)`)
	eval[bool](tb, ctx, `document.fonts.ready.then(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(true)))))`)
}
