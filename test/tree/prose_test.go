package tree_test

import (
	"bytes"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// columns is how wide a line of prose may be. A tab is four columns.
const columns = 100

// wideFolders are folders whose comments and prose are not all within the columns yet. The list
// only shrinks; "." is the root. bench has results that were written before their introductions
// were wrapped, and go when they are measured again.
var wideFolders = []string{"bench"}

// A line of prose, and of a comment in code, fits on the screen. Tables, code blocks, links and
// struct tags may be wider.
func TestTree_proseWidth(t *testing.T) {
	for _, file := range tracked(t) {
		if exempt(file) || slices.Contains(wideFolders, folder(file)) {
			continue
		}
		content := read(t, file)
		if bytes.Contains(content, []byte("Code generated ")) && bytes.Contains(content, []byte(" DO NOT EDIT.")) {
			continue
		}
		for _, n := range wideLines(path.Ext(file), string(content)) {
			t.Errorf("%s:%d: the line is wider than %d columns", file, n, columns)
		}
	}
}

// exempt reports whether a file is generated, or somebody else wrote it.
func exempt(file string) bool {
	return strings.HasPrefix(file, "static/vendor/") || strings.HasPrefix(file, "static/bundle/")
}

// folder returns the room that a file belongs to.
func folder(file string) string {
	if strings.HasPrefix(file, "test/") || strings.HasPrefix(file, "command/") || strings.HasPrefix(file, "internal/") || strings.HasPrefix(file, "docs/") {
		return path.Dir(file)
	}
	top, _, nested := strings.Cut(file, "/")
	if !nested {
		return "."
	}
	return top
}

// link matches addresses, and the targets of links in Markdown.
var link = regexp.MustCompile(`\]\([^)]*\)|https?://\S+`)

// wideLines returns the numbers of the lines of prose that are too wide.
func wideLines(ext, content string) (wide []int) {
	isProse := prose(ext)
	if isProse == nil {
		return nil
	}
	n := 0
	for line := range strings.Lines(content) {
		n++
		line = strings.TrimRight(line, "\r\n")
		if !isProse(line) {
			continue
		}
		line = link.ReplaceAllString(strings.ReplaceAll(line, "\t", "    "), "")
		if utf8.RuneCountInString(line) > columns {
			wide = append(wide, n)
		}
	}
	return wide
}

// prose returns what tells lines of prose from others in a file with that ending, if called for one
// line after the other; nil if there is no prose in it.
func prose(ext string) func(line string) bool {
	switch ext {
	case ".md":
		return markdown()
	case ".go":
		return goComment()
	case ".sql":
		return func(line string) bool { return strings.HasPrefix(strings.TrimSpace(line), "--") }
	case ".js", ".mjs", ".jsx", ".ts":
		return blockComment("//")
	case ".css":
		return blockComment("")
	default:
		return nil
	}
}

// markdown tells paragraphs from tables and code blocks.
func markdown() func(line string) bool {
	code := false
	return func(line string) bool {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "```") {
			code = !code
			return false
		}
		return !code && !strings.HasPrefix(line, "|") && !strings.HasPrefix(line, "<")
	}
}

// goComment tells comments from code and from what looks like a comment in a raw string.
func goComment() func(line string) bool {
	raw := false
	return func(line string) bool {
		text := strings.TrimSpace(line)
		if !raw && strings.HasPrefix(text, "//") {
			return !strings.HasPrefix(text, "//go:") && !strings.HasPrefix(text, "//nolint")
		}
		if strings.Count(strings.ReplaceAll(line, "'`'", ""), "`")%2 == 1 {
			raw = !raw
		}
		return false
	}
}

// blockComment tells comments from code: blocks, and lines that begin with a prefix unless it is
// "".
func blockComment(prefix string) func(line string) bool {
	block := false
	return func(line string) bool {
		text := strings.TrimSpace(line)
		if !block && prefix != "" && strings.HasPrefix(text, prefix) {
			return true
		}
		begins := strings.HasPrefix(text, "/*")
		is := block || begins
		if is {
			block = !strings.Contains(text, "*/")
		}
		return is
	}
}

// The lines that are prose are told from others.
func TestTree_wideLines(t *testing.T) {
	long := strings.Repeat("long ", 25)
	for name, c := range map[string]struct {
		ext, content string
		want         []int
	}{
		"paragraph":          {".md", "short\n" + long, []int{2}},
		"table, code, link":  {".md", "| " + long + " |\n```\n" + long + "\n```\n[x](https://x.example/" + strings.Repeat("x", 100) + ")\n", nil},
		"comment":            {".go", "// " + long + "\nx := 1 // " + long + "\n", []int{1}},
		"directive":          {".go", "//nolint:x // " + long + "\n//go:embed " + long + "\n", nil},
		"raw string":         {".go", "const x = `\n// " + long + "`\n// " + long + "\n", []int{3}},
		"indented comment":   {".go", "\t\t\t// " + strings.Repeat("x", 86) + "\n", []int{1}},
		"SQL":                {".sql", "SELECT " + long + "\n-- " + long + "\n", []int{2}},
		"JSDoc":              {".js", "/** one\n * " + long + "\n */\nconst x = `" + long + "`;\n// " + long, []int{2, 5}},
		"CSS":                {".css", "/* " + long + " */\n.x { background: " + long + " }\n", []int{1}},
		"no prose in a file": {".svg", long, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if got := wideLines(c.ext, c.content); !slices.Equal(got, c.want) {
				t.Errorf("wide lines are %v, want %v", got, c.want)
			}
		})
	}
}
