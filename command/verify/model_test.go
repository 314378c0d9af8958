package verify_test

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"marcador/command/verify"
	"marcador/store"
)

// person is a user of a world made at random, with what the model knows about the user.
type person struct {
	id                string
	created, seen     int64
	hidden            bool
	groups            map[string]int64 // since when, of memberships that last
	wishes            map[string]int64 // since when, by id of the other user
	score, reached    int64
	prior, priorReach int64
	gains, priorGains int
	wasThere          bool
}

// population makes users with groups, friends and points, in the ten days before now. Points are
// small, so that many scores are equal.
func population(w *world, r *rand.Rand, now time.Time) []*person {
	// A moment is sometimes, to the millisecond, the beginning of a day.
	moment := func() int64 {
		at := now.Add(-time.Duration(r.IntN(10*24)) * time.Hour)
		switch r.IntN(6) {
		case 0:
			at = store.Daily.Start(at)
		case 1:
			at = store.Daily.Start(now)
		}
		return at.UnixMilli()
	}
	var people []*person
	for i := range 3 + r.IntN(10) {
		p := &person{id: fmt.Sprint("u", i*7%13), created: moment(), hidden: r.IntN(5) == 0, groups: map[string]int64{}, wishes: map[string]int64{}}
		if r.IntN(4) > 0 { // otherwise 0, the column's default
			p.seen = moment()
		}
		people = append(people, p)
		w.exec(`INSERT INTO users (id, username, avatar, email, created_at, seen_since, hidden) VALUES (?1, ?1, '', '', ?2, ?3, ?4)`, p.id, p.created, p.seen, p.hidden)
		for _, group := range []string{"1", "2:3"} {
			since := moment()
			switch r.IntN(3) {
			case 0:
				p.groups["class:"+group] = since
				w.exec(`INSERT INTO memberships (user, kind, group_id, since) VALUES (?, 'class', ?, ?)`, i+1, group, since)
			case 1:
				w.exec(`INSERT INTO memberships (user, kind, group_id, since, until) VALUES (?, 'class', ?, ?, ?)`, i+1, group, since, since+1)
			}
		}
		for j, other := range people[:i] {
			if r.IntN(3) == 0 {
				p.wishes[other.id] = moment()
				w.exec(`INSERT INTO friends (user, friend, since) VALUES (?, ?, ?)`, i+1, j+1, p.wishes[other.id])
			}
			if r.IntN(3) == 0 {
				other.wishes[p.id] = moment()
				w.exec(`INSERT INTO friends (user, friend, since) VALUES (?, ?, ?)`, j+1, i+1, other.wishes[p.id])
			}
		}
	}
	times := make([]int64, r.IntN(40))
	for i := range times {
		times[i] = moment()
	}
	slices.Sort(times)
	for _, at := range times {
		p := people[r.IntN(len(people))]
		w.seq++
		w.rows[p.id] = append(w.rows[p.id], given{w.seq, int64(r.IntN(5) - 1), 1, at})
		last := w.rows[p.id][len(w.rows[p.id])-1]
		w.exec(`INSERT INTO ledger (seq, user, xp, ml_coins, xp_after, ml_coins_after, reason, at)
		        VALUES (?, (SELECT number FROM users WHERE id = ?), ?, 1, 1000, 1, '', ?)`, last.seq, p.id, last.xp, at)
	}
	return people
}

// befriended returns whether two users are friends by a rule, and since when.
func (p *person) befriended(with *person, rule string) (since int64, are bool) {
	mine, asked := p.wishes[with.id]
	theirs, askedBack := with.wishes[p.id]
	if since = math.MaxInt64; asked && askedBack {
		since = max(mine, theirs)
	}
	first := int64(math.MaxInt64)
	if asked {
		first = mine
	}
	if askedBack {
		first = min(first, theirs)
	}
	switch {
	case rule == "open":
		since = first
	case rule == "group" && (asked || askedBack):
		for group, at := range p.groups {
			if other, both := with.groups[group]; both {
				since = min(since, max(first, at, other))
			}
		}
	}
	return since, since < math.MaxInt64
}

// model returns a board, computed one user after the other.
func model(w *world, people []*person, board string, period, baseline store.Period, numbering, rule string, now time.Time, hidden bool) string {
	start, before, until := period.Start(now).UnixMilli(), period.Before(now).UnixMilli(), period.Start(now).UnixMilli()
	if period == store.AllTime {
		start, before, until = math.MinInt64, math.MinInt64, baseline.Start(now).UnixMilli()
	}
	var shown, unseen, then []*person
	for _, p := range people {
		since, member := p.seen, board == "global" || board == "friends:"+p.id
		for _, with := range people {
			if at, ok := p.befriended(with, rule); ok && board == "friends:"+with.id {
				since, member = at, true
			}
		}
		if at, ok := p.groups[board]; ok {
			since, member = at, true
		}
		if !member {
			continue
		}
		p.count(w.rows[p.id], start, before, until)
		p.wasThere = !p.hidden && since < until && p.seen < until
		if period == store.AllTime {
			p.wasThere = p.wasThere && p.created < until
		} else {
			p.wasThere = p.wasThere && p.priorGains > 0
		}
		if p.wasThere {
			then = append(then, p)
		}
		if p.gains == 0 && period != store.AllTime {
			continue
		}
		if p.hidden {
			unseen = append(unseen, p)
		} else {
			shown = append(shown, p)
		}
	}
	ofPresent := func(p *person) (int64, int64, string) { return p.score, p.reached, p.id }
	ofBaseline := func(p *person) (int64, int64, string) { return p.prior, p.priorReach, p.id }
	list := shown
	if hidden {
		list = unseen
	}
	slices.SortFunc(list, func(a, b *person) int {
		return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(a.reached, b.reached), cmp.Compare(a.id, b.id))
	})
	var rows []verify.Row
	for _, p := range list {
		row := verify.Row{UserID: p.id, Rank: rankAmong(p, shown, numbering, ofPresent), Score: p.score}
		if p.wasThere {
			row.Prior = rankAmong(p, then, numbering, ofBaseline)
		}
		rows = append(rows, row)
	}
	return words(rows)
}

// count sets the person's scores from their rows.
func (p *person) count(rows []given, start, before, until int64) {
	p.score, p.reached, p.gains, p.prior, p.priorReach, p.priorGains = 0, 0, 0, 0, 0, 0
	for _, g := range rows {
		if g.xp == 0 {
			continue
		}
		p.reached = g.seq
		if g.at >= start {
			p.score += g.xp
			p.gains++
		}
		if g.at < until {
			p.priorReach = g.seq
			if g.at >= before {
				p.prior += g.xp
				p.priorGains++
			}
		}
	}
}

// rankAmong returns the rank of p among others. They may include p.
func rankAmong(p *person, others []*person, numbering string, of func(*person) (score, reached int64, id string)) int {
	score, reached, id := of(p)
	ahead, scores := 1, map[int64]bool{}
	for _, o := range others {
		s, r, i := of(o)
		switch {
		case s > score:
			ahead++
			scores[s] = true
		case numbering == "ordinal" && s == score && (r < reached || r == reached && i < id):
			ahead++
		}
	}
	if numbering == "dense" {
		return len(scores) + 1
	}
	return ahead
}

// Boards of worlds made at random are those that the model computes.
func TestDB_Board_model(t *testing.T) {
	first := rand.Uint64() % 1_000_000
	for seed := first; seed < first+3; seed++ {
		t.Logf("seed %d", seed)
		r := rand.New(rand.NewPCG(seed, 0))
		w := newWorld(t, []string{"America/Mexico_City", "Europe/Madrid"}[seed%2])
		now := w.time([]string{"2026-03-31 22:00", "2026-04-01 00:00", "2026-10-26 03:00"}[seed%3])
		people := population(w, r, now)
		boards := []string{"global", "class:1", "class:2:3", "friends:u0", "friends:u7", "class:9"}
		for _, numbering := range []string{"ordinal", "competition", "dense"} {
			baseline := store.Period(r.IntN(store.Ending))
			rule := []string{"mutual", "group", "open"}[r.IntN(3)]
			d := w.open(verify.Options{Numbering: numbering, Baseline: verify.Period(baseline.String()), Friends: rule})
			for _, board := range boards {
				for period := store.Daily; period <= store.AllTime; period++ {
					name := verify.Period(period.String())
					rows, err := d.Board(t.Context(), board, name, now)
					unseen, err2 := d.Hidden(t.Context(), board, name, now)
					if err != nil || err2 != nil {
						t.Fatal(err, err2)
					}
					if got, want := words(rows), model(w, people, board, period, baseline, numbering, rule, now, false); got != want {
						t.Fatalf("seed %d: %s %s, %s since %s, friends %s: got\n%s\nwant\n%s", seed, board, period, numbering, baseline, rule, got, want)
					}
					if got, want := words(unseen), model(w, people, board, period, baseline, numbering, rule, now, true); got != want {
						t.Fatalf("seed %d: hidden of %s %s, %s: got\n%s\nwant\n%s", seed, board, period, numbering, got, want)
					}
				}
			}
		}
	}
}
