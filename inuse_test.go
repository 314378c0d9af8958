package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A second service on a database that one serves does not start. What reads beside it does,
// and so does the next service, even where the first was killed.
func TestProcess_inUse(t *testing.T) {
	folder := t.TempDir()
	db, link := filepath.Join(folder, "m.db"), filepath.Join(folder, "link.db")
	_, cmd := spawn(t, build(t), db)
	if err := os.Symlink(db, link); err != nil {
		t.Fatal(err)
	}
	t.Setenv("MARCADOR_JWT_SECRET", secret)
	for _, name := range []string{db, link} {
		refuses(t, "the database is in use: another marcador has", "serve", "--addr", "127.0.0.1:0", "--db", name)
	}
	refuses(t, "stop it first", "import", os.DevNull, "--db", db)
	told(t, "verify", "--db", db)
	told(t, "backup", filepath.Join(folder, "copy.db"), "--db", db)
	told(t, "export", filepath.Join(folder, "all.jsonl"), "--db", db)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	spawn(t, build(t), db)
}

// A secret on the command line is warned of, and one in the environment is not.
func TestServe_secretInSight(t *testing.T) {
	const warning = "set the environment variable MARCADOR_JWT_SECRET"
	for _, flags := range [][]string{nil, {"--jwt-secret", secret}, {"--jwt-secret=" + secret, "--log-format", "json"}} {
		p := serveOn(t, "127.0.0.1:0", filepath.Join(t.TempDir(), "m.db"), flags...)
		p.stop()
		if got, want := strings.Contains(p.log.String(), warning), flags != nil; got != want || strings.Contains(p.log.String(), secret) {
			t.Errorf("with %q it says:\n%s", flags, p.log)
		}
	}
	var errs strings.Builder
	if err := run(t.Context(), []string{"token", "--sub", "ana", "--jwt-secret", secret}, new(strings.Builder), &errs); err != nil || !strings.Contains(errs.String(), warning) {
		t.Errorf("token says %q, %v", &errs, err)
	}
}
