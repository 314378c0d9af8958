package command_test

import (
	"os"
	"path/filepath"
	"testing"

	"marcador/test/testkit"
)

// An export beside a running service, imported into another database, is exported the same again.
func TestExport(t *testing.T) {
	folder := t.TempDir()
	db, copied := filepath.Join(folder, "m.db"), filepath.Join(folder, "copy.db")
	p := testkit.ServeOn(t, testkit.AnyPort, db)
	p.Enrol(3)
	p.Call(testkit.Token(t, "svc", "admin"), "POST", "/v1/users/u2/xp", `{"xp":30,"mlCoins":2,"reason":"=1, \"two\""}`, nil)
	text := testkit.Run(t, "export", "--db", db)
	for _, name := range []string{"all.jsonl", "all.csv"} {
		file := filepath.Join(folder, name)
		if got := testkit.Run(t, "export", file, "--db", db); got != "exported: 3 users, 0 friendships, 0 limits, 5 badges, 1 points\n" {
			t.Errorf("export says %q", got)
		}
		testkit.Run(t, "import", file, "--db", copied, "--timezone", "America/Merida")
		if got := testkit.Run(t, "export", "--db", copied); got != text {
			t.Errorf("by way of %s:\n%s\nwant:\n%s", name, got, text)
		}
		testkit.Refuses(t, "there is a file", "export", file, "--db", db)
		testkit.Run(t, "verify", "--db", copied, "--timezone", "America/Merida") // twice, since the second import has no flag
		testkit.Run(t, "import", file, "--db", copied)
		testkit.Run(t, "verify", "--db", copied, "--timezone", "America/Merida")
		if err := os.Remove(copied); err != nil {
			t.Fatal(err)
		}
	}
	testkit.Refuses(t, "no such file", "import", filepath.Join(folder, "nothing.csv"), "--db", copied)
	testkit.Refuses(t, "--timezone", "import", filepath.Join(folder, "all.csv"), "--db", copied, "--timezone", "Mars/Olympus")
	testkit.Refuses(t, "there is no file", "export", "--db", filepath.Join(folder, "nothing.db"))
	testkit.Refuses(t, "make it first", "export", filepath.Join(folder, "no", "all.csv"), "--db", db)
	testkit.Write(t, filepath.Join(folder, "bad.csv"), []byte("id,username\nu9,Nine\nu8,\n"))
	testkit.Refuses(t, `bad.csv": line 3: username: is missing; give it`, "import", filepath.Join(folder, "bad.csv"), "--db", copied)
}
