package witness

import (
	"database/sql"

	"marcador/test/testkit"
)

// ledger is how many rows of the ledger were compared, the sum of their points, and the last
// row's number.
type ledger struct{ rows, xp, seq int64 }

// Check compares a database with what was sent and acknowledged: whatever was acknowledged is in
// the ledger, nothing is in it twice or without having been sent, the totals are its sums, and
// the file is whole. A service may be running on it.
func (w *Witness) Check(path string) {
	w.tb.Helper()
	w.checked = ledger{}
	w.CheckNew(path)
}

// CheckNew is Check, but rows that an earlier check compared are only counted and added up.
func (w *Witness) CheckNew(path string) {
	w.tb.Helper()
	testkit.RunBinary(w.tb, "verify", "--db", path)
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(5000)&_pragma=query_only(1)")
	if err != nil {
		w.tb.Fatal(err)
	}
	defer func() { _ = db.Close() }() // it was only read
	var before ledger
	err = db.QueryRowContext(w.tb.Context(), `SELECT count(*), coalesce(sum(xp), 0), coalesce(max(seq), 0) FROM ledger WHERE seq <= ?`, w.checked.seq).
		Scan(&before.rows, &before.xp, &before.seq)
	if err != nil || before != w.checked {
		w.tb.Fatalf("the ledger has %+v, had %+v (%v)", before, w.checked, err)
	}
	sent := w.sent(before.seq > 0)
	w.compare(db, before.seq, sent)
	for _, p := range sent {
		if p.acknowledged {
			w.tb.Fatalf("lost: %+v was acknowledged", *p)
		}
	}
}

// sent returns what was sent, by key; where it is checked again, without what was found before.
func (w *Witness) sent(again bool) map[string]*promise {
	sent := map[string]*promise{}
	for _, c := range w.callers {
		for _, p := range c.promises {
			if p.found = p.found && again; !p.found {
				sent[p.key] = p
			}
		}
	}
	return sent
}

// compare compares the ledger's rows after seq with what was sent, and removes from sent what it
// finds.
func (w *Witness) compare(db *sql.DB, seq int64, sent map[string]*promise) {
	w.tb.Helper()
	rows, err := db.QueryContext(w.tb.Context(), `
		SELECT coalesce(k.key, ''), u.id, l.xp, l.xp_after, l.seq
		FROM ledger l JOIN users u ON u.number = l.user LEFT JOIN keys k ON k.seq = l.seq WHERE l.seq > ?`, seq)
	if err != nil {
		w.tb.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var row promise
		if err := rows.Scan(&row.key, &row.user, &row.xp, &row.xpAfter, &w.checked.seq); err != nil {
			w.tb.Fatal(err)
		}
		p := sent[row.key]
		if p == nil || p.user != row.user || p.xp != row.xp || p.acknowledged && p.xpAfter != row.xpAfter {
			w.tb.Fatalf("the ledger has %+v; sent, and not found before, was %+v", row, p)
		}
		p.found = true
		delete(sent, row.key) // so that a second row with the key is found out
		w.checked.rows++
		w.checked.xp += int64(row.xp)
	}
	if err := rows.Err(); err != nil {
		w.tb.Fatal(err)
	}
}
