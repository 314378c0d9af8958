package docs_test

import (
	"cmp"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// block is an example in a document: what stands between two fences.
type block struct {
	line      int    // of the opening fence
	language  string // of the opening fence: sh, console, html, …
	directive string // of the comment above it: what the test has to know, or "" for nothing
	text      string
}

// comment is what a document tells this test about the block below, without showing it to readers.
var comment = regexp.MustCompile(`^<!-- test: (.+) -->$`)

// readBlocks returns the blocks of a document.
func readBlocks(tb testing.TB, path string) (blocks []block) {
	tb.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	directive, fence, rest := "", "", ""
	var now *block
	for i, line := range strings.Split(string(text), "\n") {
		trimmed := strings.TrimSpace(line)
		switch {
		case now != nil && trimmed == fence:
			blocks, now = append(blocks, *now), nil
		case now != nil:
			now.text += line + "\n"
		case strings.HasPrefix(trimmed, "```"):
			language := strings.TrimLeft(trimmed, "`")
			fence = strings.TrimSuffix(trimmed, language)
			now = &block{line: i + 1, language: language, directive: cmp.Or(directive, rest)}
			directive = ""
		default:
			if directive != "" {
				tb.Errorf("%s:%d: a comment for this test has no block right below it", path, i)
			}
			directive = ""
			if found := comment.FindStringSubmatch(trimmed); found == nil {
				continue
			} else if all := notRun.FindStringSubmatch(found[1]); all != nil && all[1] != "" {
				rest = found[1]
			} else {
				directive = found[1]
			}
		}
	}
	if now != nil {
		tb.Errorf("%s:%d: the block does not end", path, now.line)
	}
	return blocks
}

// documents returns the paths of the documents whose examples are run, from the root of the
// repository.
func documents(tb testing.TB) []string {
	tb.Helper()
	paths := []string{"README.md"}
	err := filepath.WalkDir(filepath.Join(root, "docs"), func(path string, _ os.DirEntry, err error) error {
		if err == nil && filepath.Ext(path) == ".md" {
			path, err = filepath.Rel(root, path)
			paths = append(paths, filepath.ToSlash(path))
		}
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
	return paths
}

// command is one command of a block, with the output that the document shows.
type command struct {
	text string
	want string // what it prints, with … for anything
}

// commands returns those of a console block: each begins with a dollar sign, and the lines below
// are what it prints. A backslash at the end continues a command.
func (b block) commands() (list []command) {
	continued := false
	for line := range strings.Lines(b.text) {
		text, begins := strings.CutPrefix(line, "$ ")
		switch {
		case begins:
			list = append(list, command{text: text})
		case len(list) == 0: // more of a stream has no command
			list = append(list, command{want: line})
		case continued:
			list[len(list)-1].text += line
		default:
			list[len(list)-1].want += line
		}
		continued = (begins || continued) && strings.HasSuffix(line, "\\\n")
	}
	return list
}
