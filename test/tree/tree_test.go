// Package tree_test holds the shape of the source: which files stand in the root, which package may
// import which, and how wide prose and how long a function may be.
package tree_test

import (
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// root is the path of the repository's root.
const root = "../.."

// read returns the content of a file, given by its path from the root.
func read(t *testing.T, file string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(file)))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// tracked returns the files that git knows, by their paths from the root. It skips the test outside
// of a git repository.
func tracked(t *testing.T) []string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", "ls-files", "-z")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		t.Skipf("the tree is that of git: %v", err)
	}
	return strings.FieldsFunc(string(out), func(r rune) bool { return r == 0 })
}

// rootFiles are the files that may stand in the root, beside dotfiles.
var rootFiles = []string{
	"main.go", "schema.sql", "go.mod", "go.sum",
	"README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "LICENSE",
	"Makefile", "package.json", "package-lock.json", "tsconfig.json", "biome.json",
}

// mostRootFiles bounds them together with dotfiles.
const mostRootFiles = 20

// The root shows the architecture and little else.
func TestTree_root(t *testing.T) {
	var inRoot []string
	for _, file := range tracked(t) {
		if path.Dir(file) != "." {
			continue
		}
		inRoot = append(inRoot, file)
		if !strings.HasPrefix(file, ".") && !slices.Contains(rootFiles, file) {
			t.Errorf("%s stands in the root; give it a folder", file)
		}
	}
	if len(inRoot) > mostRootFiles {
		t.Errorf("the root has %d files, want at most %d: %q", len(inRoot), mostRootFiles, inRoot)
	}
}

// mayImport says which packages of the module a package may import. Tests are free.
var mayImport = map[string][]string{
	"marcador": {"command"},
	"marcador/api": {
		"auth", "internal/connlimit", "internal/forwarded", "internal/membudget", "internal/msgpack",
		"internal/profile", "internal/validate", "live", "sse", "static", "store",
	},
	"marcador/auth":          {"internal/validate"},
	"marcador/auth/authtest": nil,
	"marcador/bench":         {"auth"},
	"marcador/command": {
		"api", "auth", "command/demo", "command/transfer", "command/verify", "command/watch",
		"internal/atomicfile", "internal/connlimit", "internal/forwarded", "internal/validate",
		"live", "rank", "sse", "store",
	},
	"marcador/command/demo":           {"auth", "live", "store"},
	"marcador/command/transfer":       {"internal/atomicfile", "internal/profile", "internal/validate", "store"},
	"marcador/command/verify":         {"internal/validate"},
	"marcador/command/watch":          nil,
	"marcador/internal/atomicfile":    nil,
	"marcador/internal/connlimit":     {"internal/forwarded"},
	"marcador/internal/forwarded":     nil,
	"marcador/internal/membudget":     nil,
	"marcador/internal/msgpack":       nil,
	"marcador/internal/profile":       nil,
	"marcador/internal/schematest":    nil,
	"marcador/internal/validate":      {"internal/profile"},
	"marcador/live":                   {"rank", "sse", "store"},
	"marcador/rank":                   nil,
	"marcador/sse":                    {"internal/msgpack"},
	"marcador/static":                 nil,
	"marcador/static/internal/bundle": nil,
	"marcador/store":                  {"internal/atomicfile", "internal/profile"},
}

// Imports run one way; ARCHITECTURE.md has the picture.
func TestTree_imports(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./...")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		pkg, imports, _ := strings.Cut(strings.TrimSpace(line), " ")
		if strings.HasPrefix(pkg, "marcador/test/") { // whole-program tests
			continue
		}
		allowed, known := mayImport[pkg]
		if !known {
			t.Errorf("%s is new: say here what it may import", pkg)
		}
		for imported := range strings.FieldsSeq(imports) {
			if ours, ok := strings.CutPrefix(imported, "marcador/"); ok && !slices.Contains(allowed, ours) {
				t.Errorf("%s imports %s", pkg, imported)
			}
		}
	}
}
