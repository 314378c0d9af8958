package main

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// Imports run one way; see ARCHITECTURE.md.
func TestImports(t *testing.T) {
	may := map[string][]string{
		"marcador":                        {"command"},
		"marcador/api":                    {"auth", "internal/connlimit", "internal/forwarded", "internal/membudget", "internal/msgpack", "internal/profile", "internal/validate", "live", "sse", "static"},
		"marcador/auth":                   {"internal/validate"},
		"marcador/auth/authtest":          nil,
		"marcador/bench":                  {"auth"},
		"marcador/command":                {"api", "auth", "command/demo", "command/transfer", "command/verify", "command/watch", "internal/atomicfile", "internal/connlimit", "internal/forwarded", "internal/validate", "live", "rank", "sse", "store"},
		"marcador/command/demo":           {"auth", "live"},
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
		"marcador/test/testkit/certs":     nil,
		"marcador/static/internal/bundle": nil,
		"marcador/static":                 nil,
		"marcador/store":                  {"internal/atomicfile", "internal/profile"},
	}
	out, err := exec.CommandContext(t.Context(), "go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		path, imports, _ := strings.Cut(strings.TrimSpace(line), " ")
		allowed, known := may[path]
		if !known {
			t.Errorf("%s is new: say here what it may import", path)
		}
		for imported := range strings.FieldsSeq(imports) {
			if ours, ok := strings.CutPrefix(imported, "marcador/"); ok && !slices.Contains(allowed, ours) {
				t.Errorf("%s imports %s", path, imported)
			}
		}
	}
}
