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
		"marcador":               {"api", "auth", "demo", "forwarded", "guard", "live", "newfile", "rank", "rules", "sse", "store", "transfer", "verify", "watch"},
		"marcador/api":           {"auth", "forwarded", "guard", "live", "msgpack", "profile", "rules", "sse", "static"},
		"marcador/demo":          {"auth", "live"},
		"marcador/forwarded":     nil,
		"marcador/guard":         {"forwarded"},
		"marcador/live":          {"rank", "sse", "store"},
		"marcador/auth":          {"rules"},
		"marcador/auth/authtest": nil,
		"marcador/bench":         {"auth"},
		"marcador/msgpack":       nil,
		"marcador/newfile":       nil,
		"marcador/profile":       nil,
		"marcador/rank":          nil,
		"marcador/rules":         {"profile"},
		"marcador/sse":           {"msgpack"},
		"marcador/static":        nil,
		"marcador/store":         {"newfile", "profile"},
		"marcador/transfer":      {"newfile", "profile", "rules", "store"},
		"marcador/verify":        {"rules", "store"},
		"marcador/watch":         nil,
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
