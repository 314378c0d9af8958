package verify_test

import (
	"fmt"
	"strings"
	"testing"

	"marcador/command/verify"
)

// closed adds a closed period. Each place is "user rank"; the users behind the first entries places
// were hidden. Scores and totals are the sums of what the users were given.
func (w *world) closed(number int, period, start, ends, ranks string, entries int, places ...string) {
	w.tb.Helper()
	w.exec(`INSERT INTO closings (number, period, start, ends, ranks, entries, complete) VALUES (?, ?, ?, ?, ?, ?, 1)`,
		number, period, w.ms(start), w.ms(ends), ranks, entries)
	for i, place := range places {
		id, rank, _ := strings.Cut(place, " ")
		var score, xp, mlCoins int64
		for _, g := range w.rows[id] {
			if g.at < w.ms(ends) {
				xp += g.xp
				mlCoins += g.mlCoins
				if g.at >= w.ms(start) {
					score += g.xp
				}
			}
		}
		w.exec(`INSERT INTO finals (closing, position, user, rank, prior, score, xp, ml_coins)
		        VALUES (?, ?, (SELECT number FROM users WHERE id = ?), ?, 0, ?, ?, ?)`, number, i+1, id, rank, score, xp, mlCoins)
		w.exec(`INSERT INTO places (closing, user, position) VALUES (?, (SELECT number FROM users WHERE id = ?), ?)`, number, id, i+1)
	}
}

// sound is a world with rows in every table, in which nothing is wrong.
func sound(tb testing.TB) *world {
	tb.Helper()
	w := school(tb, "America/Mexico_City")
	w.closed(1, "monthly", "2026-01-01 00:00", "2026-02-01 00:00", "ordinal", 1, "ana 1")
	w.closed(2, "monthly", "2026-02-01 00:00", "2026-03-01 00:00", "ordinal", 2, "bea 1", "cid 2")
	w.closed(3, "weekly", "2026-03-02 00:00", "2026-03-09 00:00", "ordinal", 1, "ana 1", "eva 1") // eva was hidden
	w.closed(4, "daily", "2026-03-10 00:00", "2026-03-11 00:00", "competition", 3, "bea 1", "cid 2", "dan 3")
	w.users("2026-03-11 00:00", "hal", "ivy", "jon", "kim", "leo")
	w.give("2026-03-12 10:00", "hal", 9, 0)
	w.give("2026-03-12 10:01", "ivy", 9, 0)
	w.give("2026-03-12 10:02", "kim", 8, 0)
	w.give("2026-03-12 10:03", "jon", 8, 0)
	w.give("2026-03-12 10:04", "leo", 7, 0)
	w.closed(5, "daily", "2026-03-12 00:00", "2026-03-13 00:00", "competition", 3, "hal 1", "ivy 1", "jon 3", "leo 4", "kim 3")
	w.users("2026-03-13 00:00", "mia", "ned")
	w.give("2026-03-13 10:00", "hal", 9, 0)
	w.give("2026-03-13 10:01", "mia", 9, 0)
	w.give("2026-03-13 10:02", "ned", 8, 0)
	w.give("2026-03-13 10:03", "ivy", 8, 0)
	w.closed(6, "daily", "2026-03-13 00:00", "2026-03-14 00:00", "dense", 3, "hal 1", "mia 1", "ivy 2", "ned 2")
	// A user is erased who had a place in the closing and a row in a batch.
	w.users("2026-03-13 00:00", "out")
	w.give("2026-03-14 10:00", "hal", 1, 0)
	w.give("2026-03-14 10:00", "out", 2, 0)
	w.give("2026-03-14 10:00", "mia", 3, 0)
	w.closed(7, "daily", "2026-03-14 00:00", "2026-03-15 00:00", "dense", 3, "mia 1", "out 2", "hal 3")
	w.exec(`INSERT INTO keys (seq, count, caller, key, digest) VALUES (1, 1, '', 'one', x''), (2, 2, 'ana', 'two', x''), (?, 3, 'ana', 'three', x'')`, w.seq-2)
	w.exec(`INSERT INTO answers (seq, old_rank, new_rank) VALUES (1, 0, 1), (2, 2, 2), (3, 3, 3), (?1 - 2, 1, 1), (?1, 2, 2)`, w.seq)
	w.exec(`DELETE FROM totals`)
	w.addUp()
	w.exec(`PRAGMA foreign_keys = ON`)
	for _, query := range []string{
		`DELETE FROM finals WHERE user = (SELECT number FROM users WHERE id = 'out')`,
		`DELETE FROM places WHERE user = (SELECT number FROM users WHERE id = 'out')`,
		`DELETE FROM users WHERE id = 'out'`,
	} {
		w.exec(query)
	}
	return w
}

// Totals finds no difference in a sound world or in an empty database, and reports each check.
func TestDB_Totals(t *testing.T) {
	var checked []string
	w := sound(t)
	d := w.open(verify.Options{Checked: func(what string, count int64) {
		checked = append(checked, what)
		if count <= 0 {
			t.Errorf("%d %s", count, what)
		}
	}})
	found, err := d.Totals(t.Context())
	if err != nil || found != "" {
		t.Fatalf("Totals() = %q, %v; want no difference", found, err)
	}
	if len(checked) != 13 {
		t.Errorf("checked %d things: %q", len(checked), checked)
	}
	w = newWorld(t, "UTC")
	if found, err = w.open(verify.Options{}).Totals(t.Context()); err != nil || found != "" {
		t.Errorf("Totals() = %q, %v of an empty database", found, err)
	}
}

// A period in which a user got coins alone has no place for the user, and is not in totals.
func TestDB_Totals_coinsOnly(t *testing.T) {
	w := newWorld(t, "Europe/Madrid")
	w.users("2026-03-01 00:00", "ana", "bea")
	w.give("2026-03-28 10:00", "ana", 5, 0)
	w.give("2026-03-29 10:00", "ana", 0, 5)
	w.give("2026-03-29 10:00", "bea", 0, 5)
	w.give("2026-03-30 10:00", "ana", 5, 0)
	w.closed(1, "daily", "2026-03-28 00:00", "2026-03-29 00:00", "ordinal", 1, "ana 1")
	w.closed(2, "daily", "2026-03-29 00:00", "2026-03-30 00:00", "ordinal", 0)
	w.addUp()
	if found, err := w.open(verify.Options{}).Totals(t.Context()); err != nil || found != "" {
		t.Errorf("Totals() = %q, %v; want no difference", found, err)
	}
}

// Totals finds everything that can be damaged, and names the row and the two values.
func TestDB_Totals_damage(t *testing.T) {
	whole := sound(t)
	for _, c := range []struct {
		name, damage string
		want         []string // what the difference has to name
	}{
		{"xp", `UPDATE totals SET xp = 111 WHERE user = 1`, []string{`totals.xp of user "ana" is 111; the ledger says 110`}},
		{"coins", `UPDATE totals SET ml_coins = 0 WHERE user = 2`, []string{`totals.ml_coins of user "bea" is 0; the ledger says 11`}},
		{"reached", `UPDATE totals SET reached = 18 WHERE user = 2`, []string{`totals.reached of user "bea" is 18; the ledger says 11`}},
		{"no totals", `DELETE FROM totals WHERE user = 3`, []string{`totals has no row for user "cid"`}},
		{"day_xp", `UPDATE totals SET day_xp = day_xp + 1 WHERE user = 3`, []string{`totals.day_xp of user "cid" is 6; the ledger says 5`}},
		{"week_xp", `UPDATE totals SET week_xp = 0 WHERE user = 3`, []string{`totals.week_xp of user "cid" is 0; the ledger says 70`}},
		{"month_xp", `UPDATE totals SET month_xp = 0 WHERE user = 3`, []string{`totals.month_xp of user "cid" is 0; the ledger says 70`}},
		{"day_reached", `UPDATE totals SET day_reached = 9 WHERE user = 3`, []string{`totals.day_reached of user "cid" is 9; the ledger says 10`}},
		{"week_reached", `UPDATE totals SET week_reached = 0 WHERE user = 3`, []string{`totals.week_reached of user "cid" is 0; the ledger says 3`}},
		{"month_reached", `UPDATE totals SET month_reached = 0 WHERE user = 3`, []string{`totals.month_reached of user "cid" is 0; the ledger says 3`}},
		{"prior_day_xp", `UPDATE totals SET prior_day_xp = 0 WHERE user = 3`, []string{`totals.prior_day_xp of user "cid" is 0; the ledger says 5`}},
		{"prior_week_xp", `UPDATE totals SET prior_week_xp = 0 WHERE user = 3`, []string{`totals.prior_week_xp of user "cid" is 0; the ledger says 50`}},
		{"prior_month_xp", `UPDATE totals SET prior_month_xp = 0 WHERE user = 3`, []string{`totals.prior_month_xp of user "cid" is 0; the ledger says 50`}},
		{"day, before the first points", `UPDATE totals SET day = day - 86400000 WHERE user = 7`,
			[]string{`totals.day of user "gus"`, "2026-03-10T00:00:00-06:00", "2026-03-11T08:00:00-06:00"}},
		{"day, too early", `UPDATE totals SET day = prior_day WHERE user = 3`, []string{`totals.day_xp of user "cid" is 5; the ledger says 10`}},
		{"day, too late", `UPDATE totals SET day = day + 86400000 WHERE user = 3`, []string{`totals.day_xp of user "cid" is 5; the ledger says 0`}},
		{"day, too late, adjusted", `UPDATE totals SET day = day + 86400000, day_xp = 0, day_reached = reached, prior_day_xp = 10 WHERE user = 3`,
			[]string{`totals.day of user "cid" is`}},
		{"week, too early", `UPDATE totals SET week = week - 7 * 86400000 WHERE user = 7`, []string{`totals.week of user "gus" is`}},
		{"month, too early", `UPDATE totals SET month = month - 31 * 86400000 WHERE user = 7`, []string{`totals.month of user "gus" is`}},
		{"day of nothing", `UPDATE totals SET day = 86400000 WHERE user = 6`, []string{`totals.day of user "fay" is`, "no points"}},
		{"no day", `UPDATE totals SET day = 0 WHERE user = 7`, []string{`totals.day of user "gus" is 0`}},
		{"no prior day", `UPDATE totals SET prior_day = 0, prior_day_xp = 115 WHERE user = 3`, []string{`totals.prior_day of user "cid" is 0`, "2026-03-10T23:59:00-06:00"}},
		{"prior day, too early", `UPDATE totals SET prior_day = prior_day - 86400000, prior_day_xp = 65 WHERE user = 3`, []string{`totals.prior_day of user "cid" is`}},
		{"prior week, too early", `UPDATE totals SET prior_week = prior_week - 8 * 86400000 WHERE user = 3`, []string{`totals.prior_week of user "cid" is`}},
		{"prior month of nothing", `UPDATE totals SET prior_month = 86400000 WHERE user = 7`, []string{`totals.prior_month of user "gus" is`, "no points"}},

		{"a row's xp", `UPDATE ledger SET xp = 61 WHERE seq = 7`, []string{`ledger.xp_after of row 7, of user "cid", is 110; the user's rows before it and its own +61 make 111`}},
		{"a row's total", `UPDATE ledger SET xp_after = 111 WHERE seq = 7`, []string{`ledger.xp_after of row 7, of user "cid", is 111`, `make 110`}},
		{"a row's coins", `UPDATE ledger SET ml_coins_after = 1 WHERE seq = 7`, []string{`ledger.ml_coins_after of row 7, of user "cid", is 1`}},
		{"a row is missing", `DELETE FROM ledger WHERE seq = 8`, []string{`ledger.xp_after of row 11, of user "bea"`}},
		{"the last row is missing", `DELETE FROM ledger WHERE seq = 12`, []string{`totals.xp of user "cid" is 120; the ledger says 115`}},
		{"a row of another user", `UPDATE ledger SET user = 2 WHERE seq = 7`, []string{`ledger.xp_after of row 7, of user "bea"`}},
		{"a row of no user", `UPDATE ledger SET user = 99 WHERE seq = 7`, []string{`row 7 of ledger refers to a row of users`}},
		{"below 0", `UPDATE ledger SET xp_after = -1 WHERE seq = 7`, []string{`CHECK constraint failed in ledger`}},
		{"totals below 0", `UPDATE totals SET xp = -1 WHERE user = 7`, []string{`CHECK constraint failed in totals`}},
		{"a row of another time", `UPDATE ledger SET at = at - 600000 WHERE seq = 14`, []string{`ledger.at of row 14 is`, "2026-03-11T07:51:00-06:00"}},
		{"a row with a time on another day", `UPDATE ledger SET at = at + 60000 WHERE seq = 10`, []string{`totals.day_xp of user "cid" is 5; the ledger says 10`}},
		{"an index", `CREATE TABLE t (a); PRAGMA writable_schema = ON;
			UPDATE sqlite_schema SET rootpage = (SELECT rootpage FROM sqlite_schema WHERE name = 't') WHERE name = 't';
			UPDATE sqlite_schema SET sql = 'CREATE INDEX friends_by_friend ON friends (since)' WHERE name = 'friends_by_friend'`, []string{"integrity check"}},

		{"no state", `DELETE FROM state`, []string{"state has no row"}},
		{"seq", `UPDATE state SET seq = 5`, []string{`state.seq is 5`}},
		{"seq below a key's", `INSERT INTO keys (seq, count, caller, key, digest) VALUES (1000, 2, '', 'k', x'')`, []string{`state.seq is`, `up to 1001`}},
		{"at", `UPDATE state SET at = at - 1`, []string{`state.at is`}},
		{"answered", `UPDATE state SET answered = seq + 1`, []string{`state.answered is`}},
		{"a key's row", `UPDATE keys SET seq = 1000 WHERE key = 'one'; UPDATE state SET seq = 1000; DELETE FROM answers WHERE seq = 1`, []string{`keys.seq of key "one" is 1000`}},
		{"a row of a key with a control character at its end", `UPDATE keys SET seq = 1000, key = 'x' || char(31) WHERE key = 'one'; UPDATE state SET seq = 1000; DELETE FROM answers WHERE seq = 1`, []string{`is 1000`}},
		{"a key's count", `UPDATE keys SET count = 0 WHERE key = 'two'`, []string{`key "two"`}},
		{"keys that overlap", `UPDATE keys SET count = 2 WHERE key = 'one'`, []string{`keys.count of key "one"`, "begin at 2"}},
		{"an answer without a row", `INSERT INTO answers VALUES (1000, 1, 1)`, []string{`row 1000 of answers refers to a row of ledger`}},
		{"an answer without a key", `INSERT INTO answers VALUES (5, 1, 1)`, []string{`answers has a row 5`}},
		{"no answer", `DELETE FROM answers WHERE seq = 3`, []string{`answers has no row 3`, `"two"`}},

		{"a member twice", `INSERT INTO memberships VALUES (1, 'school', '4:2', 5, NULL)`, []string{`memberships has one of user "ana" in school "4:2"`, "beyond"}},
		{"a membership that ends early", `UPDATE memberships SET until = since - 1 WHERE user = 1`, []string{`user "ana"`, `ends before it began`}},
		{"a membership of no user", `INSERT INTO memberships VALUES (99, 'school', '4:2', 5, NULL)`, []string{`memberships refers to a row of users`}},
		{"a user's own friend", `UPDATE friends SET friend = 3 WHERE user = 3 AND friend = 4`, []string{`friends has user "cid" as a friend of themselves`}},

		{"a score", `UPDATE finals SET score = 101 WHERE closing = 2 AND position = 1`, []string{`finals.score of closing 2 (monthly, from 2026-02-01T00:00:00-06:00), of user "bea", is 101; the ledger says 100`}},
		{"a total", `UPDATE finals SET xp = 0 WHERE closing = 3 AND position = 1`, []string{`finals.xp of closing 3`, `"ana"`, `the ledger says 110`}},
		{"a hidden user's coins", `UPDATE finals SET ml_coins = 1 WHERE closing = 3 AND position = 2`, []string{`finals.ml_coins of closing 3`, `"eva"`}},
		{"order", swap(2, 1, 2), []string{`finals.position of closing 2`, `"cid", is 1`, "position 2 before"}},
		{"order of equals", swap(5, 1, 2), []string{`finals.position of closing 5`, `"ivy", is 1`}},
		{"a rank", `UPDATE finals SET rank = 2 WHERE closing = 5 AND position = 2`, []string{`finals.rank of closing 5`, `"ivy" at position 2, is 2; the ledger says 1, numbered competition`}},
		{"a dense rank", `UPDATE finals SET rank = 3 WHERE closing = 6 AND position = 3`, []string{`finals.rank of closing 6`, `"ivy" at position 3, is 3; the ledger says 2, numbered dense`}},
		{"a hidden user's rank", `UPDATE finals SET rank = 4 WHERE closing = 6 AND position = 4`, []string{`finals.rank of closing 6`, `"ned"`, "says 2"}},
		{"an ordinal rank", `UPDATE finals SET rank = 1 WHERE closing = 2 AND position = 2`, []string{`finals.rank of closing 2`, `"cid"`, "says 2"}},
		{"numbering", `UPDATE closings SET ranks = 'dense' WHERE number = 5`, []string{`finals.rank of closing 5`, `"jon" at position 3, is 3; the ledger says 2`}},
		{"no place", `DELETE FROM finals WHERE closing = 4 AND position = 2; DELETE FROM places WHERE closing = 4 AND position = 2`, []string{`finals of closing 4`, `no place for user "cid"`}},
		{"a place too many", `INSERT INTO finals VALUES (4, 4, 6, 4, 0, 0, 0, 0); INSERT INTO places VALUES (4, 6, 4)`, []string{`finals of closing 4`, `user "fay" at position 4`}},
		{"positions from 0", `UPDATE finals SET position = 0 WHERE closing = 1; UPDATE places SET position = 0 WHERE closing = 1`, []string{`position 0`}},
		{"finals without a place", `DELETE FROM places WHERE closing = 2 AND user = 3`, []string{`finals of closing 2`, "user number 3 at position 2", "places says 0"}},
		{"a place of another", `UPDATE places SET position = 1 WHERE closing = 2 AND user = 3`, []string{`finals of closing 2`, "position 2", "places says 1"}},
		{"a place without finals", `INSERT INTO places VALUES (2, 4, 9)`, []string{`places of closing 2`, "user number 4 at position 9"}},
		{"places in no closing", `DELETE FROM closings WHERE number = 1`, []string{"finals has places in closing 1"}},
		{"a gap where somebody is", `INSERT INTO gaps VALUES (2, 'school', '4:2', 2, 2)`, []string{"gaps of closing 2", "position 2 on school:4:2", "finals has somebody there"}},
		{"a gap behind the last place", `INSERT INTO gaps VALUES (2, 'school', '4:2', 99, 99)`, []string{"gaps of closing 2", "position 99 with rank 99"}},
		{"a gap in no closing", `INSERT INTO gaps VALUES (99, 'school', '4:2', 1, 1)`, []string{"gaps has places in closing 99"}},
		{"another start", `UPDATE closings SET start = start - 86400000 WHERE number = 4`, []string{`finals.score of closing 4`, `"cid", is 5; the ledger says 65`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := whole.copy(t)
			// As another program can do it.
			w.exec(`PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON; DROP TRIGGER ledger_is_append_only`)
			w.exec(c.damage)
			found, err := w.open(verify.Options{}).Totals(t.Context())
			if err != nil || found == "" {
				t.Fatalf("Totals() = %q, %v; want a difference", found, err)
			}
			for _, want := range c.want {
				if !strings.Contains(string(found), want) {
					t.Errorf("Totals() = %q; want %q in it", found, want)
				}
			}
		})
	}
}

// swap returns statements that exchange two positions in a closing.
func swap(closing, a, b int) string {
	return fmt.Sprintf(`
		UPDATE finals SET position = iif(position = %[2]d, -%[3]d, -%[2]d) WHERE closing = %[1]d AND position IN (%[2]d, %[3]d);
		UPDATE finals SET position = -position WHERE closing = %[1]d AND position < 0;
		UPDATE places SET position = iif(position = %[2]d, %[3]d, %[2]d) WHERE closing = %[1]d AND position IN (%[2]d, %[3]d)`, closing, a, b)
}
