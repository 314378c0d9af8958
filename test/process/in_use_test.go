package process_test

import (
	"os"
	"path/filepath"
	"testing"

	"marcador/test/testkit"
)

// No second service starts on a database that one serves. Commands that only read run beside it,
// and the next service starts even if the first was killed.
func TestProcess_inUse(t *testing.T) {
	folder := t.TempDir()
	db, link := filepath.Join(folder, "m.db"), filepath.Join(folder, "link.db")
	p := testkit.Spawn(t, db)
	if err := os.Symlink(db, link); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{db, link} {
		testkit.Refuses(t, "the database is in use: another marcador has", "serve", "--addr", testkit.AnyPort, "--db", name)
	}
	testkit.Refuses(t, "stop it first", "import", os.DevNull, "--db", db)
	testkit.Run(t, "verify", "--db", db)
	testkit.Run(t, "backup", filepath.Join(folder, "copy.db"), "--db", db)
	testkit.Run(t, "export", filepath.Join(folder, "all.jsonl"), "--db", db)
	p.Kill()
	testkit.Spawn(t, db)
}
