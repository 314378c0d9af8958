package tree_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// tools/vulnerabilities.sh fails for a finding, and for code that it can't load. If the database of
// vulnerabilities is away or slow, it says in one line that nothing was checked, and does not fail.
func TestVulnerabilities(t *testing.T) {
	for name, c := range map[string]struct {
		does string
		code int
		says string
	}{
		"nothing found":      {"exit 0", 0, ""},
		"a finding":          {"echo Vulnerability; exit 3", 3, "Vulnerability\n"},
		"no such package":    {"echo govulncheck: loading packages: broken; exit 1", 1, "govulncheck: loading packages: broken\n"},
		"database away":      {"echo 'govulncheck: fetching vulnerabilities: no such host'; exit 1", 0, "NOT CHECKED for known vulnerabilities: no such host\n"},
		"database very slow": {"exec sleep 60", 0, "NOT CHECKED for known vulnerabilities: govulncheck took longer than 1 s\n"},
		"a crash":            {"echo panic; exit 2", 2, "panic\n"},
	} {
		t.Run(name, func(t *testing.T) {
			checker := filepath.Join(t.TempDir(), "govulncheck")
			if err := os.WriteFile(checker, []byte("#!/bin/sh\n"+c.does+"\n"), 0o700); err != nil {
				t.Fatal(err)
			}
			var says bytes.Buffer
			cmd := exec.CommandContext(t.Context(), "bash", "tools/vulnerabilities.sh", checker, "./...")
			cmd.Dir = root
			cmd.Env, cmd.Stderr = append(os.Environ(), "VULNERABILITIES_LIMIT=1"), &says
			err := cmd.Run()
			exit, _ := errors.AsType[*exec.ExitError](err)
			if c.code == 0 && err != nil || c.code > 0 && (exit == nil || exit.ExitCode() != c.code) || !strings.HasSuffix(says.String(), c.says) {
				t.Errorf("%v, and it says %q", err, &says)
			}
		})
	}
}
