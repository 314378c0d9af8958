package browser

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"
	"time"

	"marcador/test/testkit"
)

// Firefox returns the path of the second browser that the client is tested in: FIREFOX, or
// firefox-esr or firefox on the PATH.
func Firefox(tb testing.TB) string {
	tb.Helper()
	if path := os.Getenv("FIREFOX"); path != "" {
		return path
	}
	for _, name := range []string{"firefox-esr", "firefox"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	tb.Fatal("the client is tested in Firefox: install it, or name it in FIREFOX")
	return ""
}

// Driven is a browser that tools/browser.mjs drives, Firefox or Chromium.
type Driven struct {
	in  io.Writer
	out *bufio.Scanner
}

// Drive starts a browser, which ends with the test. The name is firefox or chromium, and the
// preferences are Firefox's, as JSON.
func Drive(tb testing.TB, name, path, preferences string) *Driven {
	tb.Helper()
	cmd := exec.CommandContext(tb.Context(), "node", testkit.Path("tools/browser.mjs"), name, path, preferences)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	cmd.Cancel = in.Close // it closes the browser, then itself
	cmd.WaitDelay = testkit.Patience
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		_ = in.Close() // the context of a test ends before its clean-up
		_ = cmd.Wait()
	})
	b := &Driven{in: in, out: bufio.NewScanner(out)}
	b.out.Buffer(nil, 1<<20)
	tb.Logf("%s", b.answer(tb))
	return b
}

// answer returns the browser's answer to the last command.
func (b *Driven) answer(tb testing.TB) json.RawMessage {
	tb.Helper()
	if !b.out.Scan() {
		tb.Fatalf("the browser is gone: %v", b.out.Err())
	}
	var said struct {
		Value json.RawMessage
		Error string
	}
	if err := json.Unmarshal(b.out.Bytes(), &said); err != nil || said.Error != "" {
		tb.Fatalf("the browser says %s: %v", b.out.Bytes(), err)
	}
	return said.Value
}

func (b *Driven) command(tb testing.TB, command map[string]any) json.RawMessage {
	tb.Helper()
	line, err := json.Marshal(command)
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := fmt.Fprintf(b.in, "%s\n", line); err != nil {
		tb.Fatal(err)
	}
	return b.answer(tb)
}

// Page is a page of a driven browser.
type Page struct {
	b      *Driven
	tb     testing.TB
	number json.RawMessage // nil once it is closed
}

// Hurried is JavaScript to run before a page's own: its clock then goes twenty times as fast,
// so that tries come soon.
const Hurried = `{
	const { setTimeout } = window;
	window.setTimeout = (f, ms, ...rest) => setTimeout(f, ms / 20, ...rest);
}`

// Open opens a page, which is closed with the test.
func (b *Driven) Open(tb testing.TB, address, before string) *Page {
	tb.Helper()
	p := &Page{b, tb, b.command(tb, map[string]any{"do": "open", "url": address, "before": before})}
	tb.Cleanup(p.Close)
	return p
}

// Close closes the page, unless it is closed.
func (p *Page) Close() {
	if p.number == nil {
		return
	}
	_, _ = fmt.Fprintf(p.b.in, `{"do":"close","page":%s}`+"\n", p.number)
	p.b.out.Scan()
	p.number = nil
}

// Is reports whether a JavaScript condition, which may await, holds.
func (p *Page) Is(condition string) bool {
	p.tb.Helper()
	script := "(async () => Boolean(" + condition + "))()"
	return string(p.b.command(p.tb, map[string]any{"do": "eval", "page": p.number, "script": script})) == "true"
}

// Until waits for a JavaScript condition, which may await, to hold.
func (p *Page) Until(condition string) {
	p.tb.Helper()
	for late := time.Now().Add(testkit.Patience); !p.Is(condition); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(late) {
			says := p.b.command(p.tb, map[string]any{"do": "eval", "page": p.number, "script": `globalThis.board?.getSnapshot ? JSON.stringify(board.getSnapshot()).slice(0, 400) : document.body.innerText.slice(0, 600)`})
			p.tb.Fatalf("waiting for %s; the page says %s", condition, says)
		}
	}
}

// Do runs a JavaScript expression.
func (p *Page) Do(script string) {
	p.tb.Helper()
	p.Is("(" + script + ", true)")
}
