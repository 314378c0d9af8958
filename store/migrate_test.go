package store_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"marcador/store"
)

// schemaOf returns the statements that made the database, without comments.
func schemaOf(t *testing.T, path string) string {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	rows, err := db.QueryContext(t.Context(), `SELECT coalesce(sql, name) FROM sqlite_schema ORDER BY type, name`)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	var all []string
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			t.Fatal(err)
		}
		all = append(all, strings.Join(strings.Fields(regexp.MustCompile(`--.*`).ReplaceAllString(text, "")), " "))
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return strings.Join(all, "\n")
}

// oldest makes a database with the first version of the schema, and returns its path.
func oldest(t *testing.T) string {
	t.Helper()
	first, err := os.ReadFile("testdata/schema_1.sql")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "old.db")
	exec(t, path, `PRAGMA journal_mode = WAL`)
	exec(t, path, string(first)+`
		INSERT INTO state VALUES (1, 'epoch', 9, 1741669200000, 9);
		INSERT INTO users VALUES (1, 'ana', 'Ana', '', 'a@b.mx', 1741500000000), (2, 'leo', 'Leo', '', '', 1741500000001);
		INSERT INTO memberships VALUES (1, 'school', '42'), (2, 'school', '42'), (2, 'club', 'x');
		INSERT INTO ledger VALUES (3, 1, 5, 0, 5, 0, 'a', 1741582800000), (5, 1, 7, 1, 12, 1, 'b', 1741669200000), (6, 2, 3, 0, 3, 0, '', 1741669200000);
		INSERT INTO keys VALUES (6, 1, 'k', x'00');
		INSERT INTO answers VALUES (6, 1, 2);
		INSERT INTO totals VALUES (1, 12, 1, 5, 1, 2, 3, 4, 5, 6, 7, 8, 9), (2, 3, 0, 6, 1, 2, 3, 4, 5, 6, 7, 8, 9);
		PRAGMA application_id = 1298231907; PRAGMA user_version = 1`)
	return path
}

// Opening an older database migrates it: all data is still there, and the schema is that of a new
// database.
func TestOpen_migrates(t *testing.T) {
	merida, err := time.LoadLocation("America/Merida")
	if err != nil {
		t.Fatal(err)
	}
	old, fresh := oldest(t), filepath.Join(t.TempDir(), "fresh.db")
	s := open(t, old, store.Options{Location: merida})
	if s.Epoch() != "epoch" || s.Seq() != 9 || xpOf(t, s, "ana") != 12 {
		t.Errorf("epoch %s, seq %d, xp %d", s.Epoch(), s.Seq(), xpOf(t, s, "ana"))
	}
	if u, err := s.User(t.Context(), "leo"); err != nil || !slices.Equal(u.Groups["school"], []string{"42"}) || u.Hidden {
		t.Errorf("user = %+v (%v)", u, err)
	}
	store.CheckSums(t, s)
	if got := give(t, s, "ana", 1); got.XPAfter != 13 || got.Seq != 10 {
		t.Errorf("points = %+v", got)
	}
	closeStore(t, s)
	closeStore(t, mustOpen(t, fresh))
	if got, want := schemaOf(t, old), schemaOf(t, fresh); got != want {
		t.Errorf("migrated:\n%s\nnew:\n%s", got, want)
	}
	exec(t, old, `PRAGMA foreign_key_check`)
	closeStore(t, mustOpen(t, old)) // a second time, with nothing to migrate
}

// A migration writes no temporary files outside of the database's folder, however large the
// database.
func TestOpen_migratesInPlace(t *testing.T) {
	path := oldest(t)
	exec(t, path, `
		WITH RECURSIVE n (n) AS (SELECT 100 UNION ALL SELECT n + 1 FROM n WHERE n < 20000)
		INSERT INTO users SELECT n, 'u' || n, 'U', hex(zeroblob(100)), '', 1741500000000 FROM n;
		INSERT INTO memberships SELECT number, 'school', hex(zeroblob(100)) FROM users;
		INSERT INTO totals SELECT number, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 FROM users WHERE number >= 100;
		INSERT INTO keys SELECT number, 1, 'k' || number, zeroblob(200) FROM users WHERE number >= 100`)
	s := mustOpen(t, path)
	if n := store.Spilled(t, s); n > 0 {
		t.Errorf("%d bytes went to temporary files", n)
	}
	closeStore(t, s)
}

// dump returns all data of a database of the first version as text.
func dump(t *testing.T, path string) string {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	var all string
	for _, query := range []string{
		`SELECT group_concat(concat_ws('|', user_version, epoch, seq, at, answered), char(10)) FROM state, pragma_user_version`,
		`SELECT group_concat(concat_ws('|', number, id, username, avatar, email, created_at), char(10)) FROM users`,
		`SELECT group_concat(concat_ws('|', user, kind, group_id), char(10)) FROM memberships`,
		`SELECT group_concat(concat_ws('|', seq, user, xp, ml_coins, xp_after, ml_coins_after, reason, at), char(10)) FROM ledger`,
		`SELECT group_concat(concat_ws('|', seq, count, key, hex(digest)), char(10)) FROM keys`,
		`SELECT group_concat(concat_ws('|', user, xp, ml_coins, reached, day, day_xp), char(10)) FROM totals`,
	} {
		var text sql.NullString
		if err := db.QueryRowContext(t.Context(), query).Scan(&text); err != nil {
			t.Fatal(err)
		}
		all += text.String + "\n"
	}
	return all
}

// A migration leaves a copy of the database as it was beside it, and never replaces a file for it.
func TestOpen_copiesBeforeMigrating(t *testing.T) {
	path := oldest(t)
	was, schema := dump(t, path), schemaOf(t, path)
	mustDo(t, os.WriteFile(path+".schema-1.bak", []byte("something else"), 0o600))
	closeStore(t, mustOpen(t, path))
	want := []string{"old.db", "old.db.schema-1.bak", "old.db.schema-1.bak.2"}
	if got := names(t, path); !slices.Equal(got, want) {
		t.Fatalf("files = %v, want %v", got, want)
	}
	if got := bytesOf(t, path+".schema-1.bak"); got != "something else" {
		t.Error("a file was replaced")
	}
	copied := path + ".schema-1.bak.2"
	if dump(t, copied) != was || schemaOf(t, copied) != schema {
		t.Errorf("copied:\n%s\nwant:\n%s", dump(t, copied), was)
	}
	// The copy can be restored, and is then migrated like any other database.
	if _, _, err := store.Restore(t.Context(), copied, path); err != nil {
		t.Fatal(err)
	}
	s := mustOpen(t, path)
	defer closeStore(t, s)
	if xpOf(t, s, "ana") != 12 {
		t.Error("the restored database does not have what the copy has")
	}
}

// A migration that fails leaves the database as it was. However often it is tried, it leaves one
// copy.
func TestOpen_migrationFails(t *testing.T) {
	for name, c := range map[string]struct {
		migration, damage, want string
		copies                  int
	}{
		"a row was lost before": {"", `PRAGMA foreign_keys = OFF; DELETE FROM users WHERE number = 2`, "a row of the table", 0},
		"a statement fails":     {`CREATE TABLE more (a); INSERT INTO nowhere VALUES (1)`, "", "no such table: nowhere", 1},
		"it loses a row":        {`DELETE FROM users WHERE number = 2`, "", "a row of the table", 1},
	} {
		t.Run(name, func(t *testing.T) {
			path := oldest(t)
			if c.damage != "" {
				exec(t, path, c.damage)
			}
			was, schema := dump(t, path), schemaOf(t, path)
			if c.migration != "" {
				store.Migrate(t, c.migration)
			}
			for range 2 {
				_, err := store.Open(t.Context(), path, store.Options{})
				wantOneLine(t, err, c.want)
				wantOneLine(t, err, "it was left as it is")
				if dump(t, path) != was || schemaOf(t, path) != schema {
					t.Errorf("it was changed:\n%s\nwas:\n%s", dump(t, path), was)
				}
				if got := names(t, path); len(got) != 1+c.copies {
					t.Errorf("files = %v, want %d copies", got, c.copies)
				}
			}
		})
	}
}

// A store that is opened with another time zone computes all periods anew from the ledger.
func TestOpen_anotherZone(t *testing.T) {
	tokyo, err := time.LoadLocation("Asia/Tokyo")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "m.db")
	c := &clock{}
	s := mustOpenWith(t, path, store.Options{Now: c.Now})
	c.set("2025-03-10T14:00:00Z")
	put(t, s, "u1", "u2")
	give(t, s, "u1", 1)
	c.set("2025-03-10T16:00:00Z") // the same day, but not in Tokyo
	give(t, s, "u1", 2)
	scores := give(t, s, "u1", 4).Scores
	if scores[store.Daily].XP != 7 {
		t.Errorf("scores = %+v", scores)
	}
	closeStore(t, s)
	s = open(t, path, store.Options{Now: c.Now, Location: tokyo})
	store.CheckSums(t, s)
	if scores := give(t, s, "u1", 8).Scores; scores[store.Daily].XP != 14 || scores[store.Monthly].XP != 15 {
		t.Errorf("scores = %+v, want those since midnight in Tokyo", scores)
	}
}
