package docs_test

import (
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"marcador/test/testkit"
)

// prose returns a document without its blocks.
func prose(tb testing.TB, document string) string {
	tb.Helper()
	text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(document)))
	if err != nil {
		tb.Fatal(err)
	}
	return regexp.MustCompile("(?ms)^ *```.*?^ *```$").ReplaceAllString(string(text), "")
}

// leads returns what is wrong with a link to that file and heading, or "".
func leads(tb testing.TB, file, heading string) (problem string) {
	tb.Helper()
	if _, err := os.Stat(filepath.Join(root, filepath.FromSlash(file))); err != nil {
		return "there is no such file"
	}
	if heading != "" && (path.Ext(file) != ".md" || !slices.Contains(anchors(prose(tb, file)), heading)) {
		return "there is no such heading"
	}
	return ""
}

// anchors returns those of a document's headings, as GitHub makes them.
func anchors(text string) (all []string) {
	for _, found := range regexp.MustCompile(`(?m)^#+ (.+)$`).FindAllStringSubmatch(text, -1) {
		name := regexp.MustCompile(`[^\p{L}\p{N} _-]`).ReplaceAllString(strings.ToLower(found[1]), "")
		all = append(all, strings.ReplaceAll(name, " ", "-"))
	}
	return all
}

// TestDocuments_index says that docs/README.md names every document of its folder, and
// docs/adr/README.md every decision.
func TestDocuments_index(t *testing.T) {
	for _, folder := range []string{"docs", "docs/adr"} {
		index := prose(t, folder+"/README.md")
		files, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(folder), "*.md"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if name := filepath.Base(file); name != "README.md" && !strings.Contains(index, "]("+name+")") {
				t.Errorf("%s/README.md lacks %s", folder, name)
			}
		}
	}
}

// TestDecisions_form says that each decision has the same four parts, and its number.
func TestDecisions_form(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(root, "docs", "adr", "0*.md"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%d decisions, %v", len(files), err)
	}
	for _, file := range files {
		name := filepath.Base(file)
		text := prose(t, "docs/adr/"+name)
		if !strings.HasPrefix(text, "# "+name[:len("0001")]+". ") {
			t.Errorf("%s does not begin with its number", name)
		}
		parts := regexp.MustCompile(`(?m)^## .*$`).FindAllString(text, -1)
		if want := []string{"## Context", "## Choice", "## Rejected", "## Measured"}; !slices.Equal(parts, want) {
			t.Errorf("%s has the parts %q, want %q", name, parts, want)
		}
	}
}

// TestArchitecture_libraries says that ARCHITECTURE.md names every library that go.mod requires
// directly.
func TestArchitecture_libraries(t *testing.T) {
	text := prose(t, "ARCHITECTURE.md")
	required := regexp.MustCompile(`(?m)^(?:require)?\t?\s*(\S+\.\S+/\S+) v\S+$`)
	found := required.FindAllStringSubmatch(string(testkit.Read(t, testkit.Path("go.mod"))), -1)
	if len(found) == 0 {
		t.Fatal("go.mod requires nothing")
	}
	for _, one := range found {
		name := strings.NewReplacer("github.com/", "", "golang.org/", "").Replace(one[1])
		if !strings.Contains(text, name+"`") {
			t.Errorf("ARCHITECTURE.md lacks the library %s, with its reason", one[1])
		}
	}
}

// TestOperating_flags says that docs/operating.md has every flag of serve, with its default.
func TestOperating_flags(t *testing.T) {
	help, err := exec.CommandContext(t.Context(), testkit.Binary(t), "serve", "--help").Output()
	if err != nil {
		t.Fatal(err)
	}
	want, got := map[string]string{}, map[string]string{}
	for _, found := range regexp.MustCompile(`(?m)^ {6}(--[a-z0-9-]+)(?:=(\S+))?(?: |$)`).FindAllStringSubmatch(string(help), -1) {
		want[found[1]] = defaultOf(found[2])
	}
	delete(want, "--version")
	for _, found := range regexp.MustCompile("(?m)^\\| `(--[a-z0-9-]+)` \\| `?([^`|]+?)`? \\|").FindAllStringSubmatch(prose(t, "docs/operating.md"), -1) {
		got[found[1]] = found[2]
	}
	if len(want) == 0 || !maps.Equal(got, want) {
		t.Errorf("docs/operating.md has the flags %v, want %v", got, want)
	}
}

// defaultOf returns the default of a flag, as the document has it, from the help text.
func defaultOf(shown string) string {
	switch {
	case shown == "":
		return "off"
	case strings.ToUpper(shown) == shown && strings.ToLower(shown) != shown && !strings.HasPrefix(shown, `"`):
		return "none" // the help text names what kind of value it takes
	}
	return strings.TrimSuffix(strings.Trim(shown, `"`), ",...")
}
