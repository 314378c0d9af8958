// Package docs_test runs the examples of README.md and of docs/ against the real program, so that
// what a document shows is what happens.
//
// Commands (sh and console) run in a shell, one for each document, in the order in which they stand
// there. Where a document shows what a command prints, that is compared. Pages are opened in
// Chromium, configuration is checked by the program that reads it, and records are imported.
//
// A comment right above a block says what a reader need not know:
//
//	<!-- test: not run, because REASON -->
//	<!-- test: begins after walkthrough.md -->  the commands of that document have run before
//	<!-- test: stays running -->                the command does not end by itself
//	<!-- test: more of the stream -->           the block is what that command prints later
//	<!-- test: service stopped -->              the service has been ended
//	<!-- test: nothing below is run, because REASON -->
//
// Commands that are not run are only read by bash.
//
// A block without a language is a picture.
package docs_test

import (
	"cmp"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// notRun says why a block is not run, or why none is in the rest of a document.
var notRun = regexp.MustCompile(`^(?:not run|(nothing below is run)), because .{10,}$`)

// TestDocuments_run runs every example.
func TestDocuments_run(t *testing.T) {
	for _, path := range documents(t) {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			(&document{t: t, path: path}).run()
		})
	}
}

// document is one whose examples are run.
type document struct {
	t     *testing.T
	path  string   // from the root of the repository
	shell *session // nil until a command needs it
}

func (d *document) run() {
	d.t.Helper()
	for _, b := range readBlocks(d.t, filepath.Join(root, filepath.FromSlash(d.path))) {
		switch {
		case !notRun.MatchString(b.directive):
			d.block(b)
		case b.language == "sh":
			d.tool(b, d.t.TempDir(), "bash", "-n", "-c", b.text)
		}
	}
}

// checks are what is done with a block of each language.
var checks = map[string]func(*document, block){
	"":        func(*document, block) {}, // a picture
	"sh":      func(d *document, b block) { d.session().script(b) },
	"console": func(d *document, b block) { d.session().console(b) },
	"cron":    (*document).cron,
	"jsonl":   func(d *document, b block) { d.imports(b, "jsonl") },
	"csv":     func(d *document, b block) { d.imports(b, "csv") },
	"js":      (*document).module,
	"svelte":  (*document).svelte,
	"css":     (*document).style,
	"html":    (*document).page,
	"nginx":   (*document).nginx,
	"haproxy": (*document).haproxy,
	"systemd": (*document).systemd,
}

// block runs one block, after what its comment says.
func (d *document) block(b block) {
	d.t.Helper()
	check, known := checks[b.language]
	if !known {
		d.t.Fatalf("%s:%d: nothing runs blocks of %q; say so in a comment above it", d.path, b.line, b.language)
	}
	switch before, after := strings.CutPrefix(b.directive, "begins after "); {
	case after:
		earlier := &document{t: d.t, path: path.Join(path.Dir(d.path), before), shell: d.session()}
		earlier.shell.run("BUILT=yes") // the test of that document builds the program as it says
		earlier.run()
	case b.directive == "service stopped":
		d.session().stopService()
	case b.directive != "" && b.directive != "stays running" && b.directive != "more of the stream":
		d.t.Fatalf("%s:%d: this test does not know the comment %q", d.path, b.line, b.directive)
	}
	check(d, b)
	if d.t.Failed() {
		d.t.Fatalf("%s:%d: the block above failed", d.path, b.line)
	}
}

func (d *document) session() *session {
	d.t.Helper()
	if d.shell == nil {
		d.shell = newSession(d.t)
	}
	return d.shell
}

// link finds the target of a link or of a picture in Markdown and in its HTML.
var link = regexp.MustCompile(`\]\(([^)\s]+)\)|(?:src|srcset|href)="([^"]+)"`)

// TestDocuments_links follows the links of every document to files and headings.
func TestDocuments_links(t *testing.T) {
	outside := []string{"ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "bench/README.md"}
	for _, from := range append(documents(t), outside...) {
		for _, found := range link.FindAllStringSubmatch(prose(t, from), -1) {
			target := cmp.Or(found[1], found[2])
			if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
				continue
			}
			file, heading, _ := strings.Cut(target, "#")
			to := from
			if file != "" {
				to = path.Join(path.Dir(from), file)
			}
			if problem := leads(t, to, heading); problem != "" {
				t.Errorf("%s links to %s: %s", from, target, problem)
			}
		}
	}
}
