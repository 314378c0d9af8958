package verify

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sort"
	"time"
)

// closing is a closed period whose places have all been written.
type closing struct {
	number       int64
	period       string
	start, ends  int64
	ranks        string
	entries      int64
	first, after int64 // the seq from which, and the one before which, the period's ledger rows lie
}

func (v *verification) name(c *closing) string {
	return fmt.Sprintf("closing %d (%s, from %s)", c.number, c.period,
		time.UnixMilli(c.start).In(v.opts.Location).Format(time.RFC3339))
}

// args are the parameters of the queries about a closing.
func (c *closing) args() []any {
	return []any{
		sql.Named("closing", c.number), sql.Named("first", c.first), sql.Named("after", c.after),
		sql.Named("entries", c.entries), sql.Named("ranks", c.ranks),
	}
}

// closings compares the places of each closed period with the ledger. Users who were erased
// since are missing from both.
func (v *verification) closings(ctx context.Context) (Difference, error) {
	list, err := v.completeClosings(ctx)
	if err != nil {
		return "", err
	}
	for _, c := range list {
		if c.first, err = v.seqAt(ctx, c.start); err != nil {
			return "", err
		}
		if c.after, err = v.seqAt(ctx, c.ends); err != nil {
			return "", err
		}
		for _, find := range []func(context.Context, *closing) (Difference, error){
			v.mirror, v.gaps, v.placesWithoutPoints, v.scores, v.order,
		} {
			if found, err := find(ctx, c); found != "" || err != nil {
				return found, err
			}
		}
	}
	return "", nil
}

func (v *verification) completeClosings(ctx context.Context) (list []*closing, err error) {
	rows, err := v.tx.QueryContext(ctx, `
		SELECT number, period, start, ends, ranks, entries FROM closings WHERE complete = 1 ORDER BY number`)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		c := new(closing)
		if err := rows.Scan(&c.number, &c.period, &c.start, &c.ends, &c.ranks, &c.entries); err != nil {
			return nil, err
		}
		list = append(list, c)
	}
	return list, rows.Err()
}

// seqAt returns a seq such that the ledger's rows below it, and no others, are earlier than a
// time. It relies on disorder having found nothing: times never decrease from row to row.
func (v *verification) seqAt(ctx context.Context, at int64) (int64, error) {
	var last int64
	err := v.tx.QueryRowContext(ctx, `SELECT coalesce(max(seq), 0) FROM ledger`).Scan(&last)
	seq := sort.Search(int(last)+1, func(seq int) bool {
		if err != nil {
			return true
		}
		var next int64
		var found bool
		found, err = v.first(ctx, `SELECT at FROM ledger WHERE seq >= ? ORDER BY seq LIMIT 1`, []any{seq}, &next)
		return !found || next >= at
	})
	return int64(seq), err
}

// mirror checks that finals and places have the same positions, and that these start from 1.
func (v *verification) mirror(ctx context.Context, c *closing) (Difference, error) {
	var position, user, other int64
	found, err := v.first(ctx, `
		SELECT f.position, f.user, coalesce(p.position, 0)
		FROM finals f LEFT JOIN places p ON p.closing = f.closing AND p.user = f.user
		WHERE f.closing = :closing AND (p.position IS NOT f.position OR f.position < 1)
		ORDER BY f.position LIMIT 1`, c.args()[:1], &position, &user, &other)
	if err != nil {
		return "", err
	}
	if found {
		return Difference(fmt.Sprintf("finals of %s has user number %d at position %d; places says %d", v.name(c), user, position, other)), nil
	}
	found, err = v.first(ctx, `
		SELECT p.position, p.user
		FROM places p LEFT JOIN finals f ON f.closing = p.closing AND f.position = p.position
		WHERE p.closing = :closing AND f.user IS NOT p.user
		LIMIT 1`, c.args()[:1], &position, &user)
	if !found {
		return "", err
	}
	return Difference(fmt.Sprintf("places of %s has user number %d at position %d; finals does not", v.name(c), user, position)), nil
}

// gaps looks for a gap that can't be one: somebody has the place, the board had no such place, or
// the gap's rank is impossible at its position.
func (v *verification) gaps(ctx context.Context, c *closing) (Difference, error) {
	var kind, group string
	var position, rank int64
	var taken bool
	found, err := v.first(ctx, `
		SELECT g.kind, g.group_id, g.position, g.rank, f.user IS NOT NULL
		FROM gaps g LEFT JOIN finals f ON f.closing = g.closing AND f.position = g.position
		WHERE g.closing = :closing AND (
			f.user IS NOT NULL OR g.position NOT BETWEEN 1 AND :entries
			OR g.rank NOT BETWEEN 1 AND g.position OR :ranks = 'ordinal' AND g.rank <> g.position)
		ORDER BY g.position LIMIT 1`, c.args(), &kind, &group, &position, &rank, &taken)
	switch {
	case !found:
		return "", err
	case taken:
		return Difference(fmt.Sprintf("gaps of %s says that position %d on %s:%s belongs to an erased user; finals has somebody there", v.name(c), position, kind, group)), nil
	}
	return Difference(fmt.Sprintf("gaps of %s has position %d with rank %d on %s:%s; there are %d places, numbered %s",
		v.name(c), position, rank, kind, group, c.entries, c.ranks)), nil
}

// placesWithoutPoints looks for a place of a user whose points did not change in the period.
func (v *verification) placesWithoutPoints(ctx context.Context, c *closing) (Difference, error) {
	var position int64
	var id string
	found, err := v.first(ctx, `
		SELECT f.position, coalesce(u.id, '')
		FROM finals f LEFT JOIN users u ON u.number = f.user
		WHERE f.closing = :closing AND NOT EXISTS (
			SELECT 1 FROM ledger l
			WHERE l.user = f.user AND l.seq >= :first AND l.seq < :after AND l.xp <> 0)
		ORDER BY f.position LIMIT 1`, c.args()[:3], &position, &id)
	if !found {
		return "", err
	}
	return Difference(fmt.Sprintf("finals of %s has user %q at position %d; the ledger has no points of the user in it", v.name(c), id, position)), nil
}

// scores looks for a user whose points changed in the period, and who has no place in it or a
// place with different points or coins.
func (v *verification) scores(ctx context.Context, c *closing) (Difference, error) {
	var id string
	var placed bool
	columns := [...]string{"score", "xp", "ml_coins"}
	var is, says [len(columns)]int64
	found, err := v.first(ctx, `
		WITH gains AS MATERIALIZED (
			SELECT user, sum(xp) AS score, max(seq) AS last
			FROM ledger NOT INDEXED
			WHERE seq >= :first AND seq < :after
			GROUP BY user HAVING count(*) FILTER (WHERE xp <> 0) > 0
		)
		SELECT u.id, f.score IS NOT NULL,
		       coalesce(f.score, 0), coalesce(f.xp, 0), coalesce(f.ml_coins, 0),
		       g.score, l.xp_after, l.ml_coins_after
		FROM gains g
		JOIN ledger l ON l.seq = g.last
		JOIN users u ON u.number = g.user
		LEFT JOIN places p ON p.closing = :closing AND p.user = g.user
		LEFT JOIN finals f ON f.closing = :closing AND f.position = p.position
		WHERE (f.score, f.xp, f.ml_coins) IS NOT (g.score, l.xp_after, l.ml_coins_after)
		LIMIT 1`, c.args()[:3], &id, &placed, &is[0], &is[1], &is[2], &says[0], &says[1], &says[2])
	switch {
	case !found:
		return "", err
	case !placed:
		return Difference(fmt.Sprintf("finals of %s has no place for user %q; the ledger has points of the user in it, together %d", v.name(c), id, says[0])), nil
	}
	for i, name := range columns {
		if is[i] != says[i] {
			return Difference(fmt.Sprintf("finals.%s of %s, of user %q, is %d; the ledger says %d", name, v.name(c), id, is[i], says[i])), nil
		}
	}
	return "", nil
}

// order looks for a place that comes before a better one, or whose rank does not follow from the
// closing's numbering. After an erasure the scores of the erased users are unknown, so then only
// ordinal ranks, which equal the positions, can be checked.
func (v *verification) order(ctx context.Context, c *closing) (Difference, error) {
	var id string
	var position, ahead, rank, says int64
	found, err := v.first(ctx, `
		WITH gains AS MATERIALIZED (
			SELECT user, sum(xp) AS score, max(seq) FILTER (WHERE xp <> 0) AS reached
			FROM ledger NOT INDEXED
			WHERE seq >= :first AND seq < :after
			GROUP BY user HAVING count(*) FILTER (WHERE xp <> 0) > 0
		),
		placed AS (
			SELECT u.id, f.position, f.rank, g.score, g.reached, f.position > :entries AS hidden,
			       f.position <= :entries AND 1 = row_number() OVER (PARTITION BY g.score, f.position > :entries) AS leads
			FROM gains g
			JOIN users u ON u.number = g.user
			JOIN places p ON p.closing = :closing AND p.user = g.user
			JOIN finals f ON f.closing = :closing AND f.position = p.position
		),
		ranked AS (
			SELECT id, position, rank, hidden,
			       coalesce(lag(position) OVER (PARTITION BY hidden ORDER BY score DESC, reached, id), 0) AS ahead,
			       CASE :ranks
			           WHEN 'dense' THEN 1 + sum(leads) OVER (ORDER BY score DESC) - sum(leads) OVER (PARTITION BY score)
			           WHEN 'competition' THEN rank() OVER (ORDER BY score DESC)
			                - sum(hidden) OVER (ORDER BY score DESC) + sum(hidden) OVER (PARTITION BY score)
			           ELSE row_number() OVER (ORDER BY score DESC, reached, id)
			                - sum(hidden) OVER (ORDER BY score DESC, reached, id ROWS UNBOUNDED PRECEDING) + hidden
			       END AS says
			FROM placed
		),
		whole AS MATERIALIZED (
			SELECT count(*) = :entries AS all_there FROM finals WHERE closing = :closing AND position <= :entries
		)
		SELECT id, position, ahead, rank, iif(all_there, says, position)
		FROM ranked, whole
		WHERE NOT hidden AND position <= ahead
		   OR all_there AND rank <> says
		   OR NOT hidden AND :ranks = 'ordinal' AND rank <> position
		ORDER BY NOT hidden AND position <= ahead DESC, position LIMIT 1`, c.args(), &id, &position, &ahead, &rank, &says)
	switch {
	case !found:
		return "", err
	case position <= ahead:
		return Difference(fmt.Sprintf("finals.position of %s, of user %q, is %d; the ledger puts the user at position %d before this one", v.name(c), id, position, ahead)), nil
	}
	return Difference(fmt.Sprintf("finals.rank of %s, of user %q at position %d, is %d; the ledger says %d, numbered %s", v.name(c), id, position, rank, says, c.ranks)), nil
}

// strayPlaces looks for places in a closing that does not exist.
func (v *verification) strayPlaces(ctx context.Context) (Difference, error) {
	var table string
	var number int64
	found, err := v.first(ctx, `
		SELECT t, closing FROM (
			SELECT 'finals' AS t, closing FROM finals
			UNION ALL
			SELECT 'places', closing FROM places
			UNION ALL
			SELECT 'gaps', closing FROM gaps
		)
		WHERE closing NOT IN (SELECT number FROM closings)
		LIMIT 1`, nil, &table, &number)
	if !found {
		return "", err
	}
	return Difference(fmt.Sprintf("%s has places in closing %d, but closings has no such row", table, number)), nil
}

// OddClosings returns how many closed periods do not begin and end with a day, week or month of
// the time zone, and the name of the first. They are no difference: a service that ran in another
// time zone has closed them by that zone's clocks, and the database does not record which.
func (d *DB) OddClosings(ctx context.Context) (count int, first string, err error) {
	err = d.at(ctx, func(v *verification) error {
		list, err := v.completeClosings(ctx)
		if err != nil || len(list) == 0 {
			return err
		}
		from, to := list[0].start, list[0].ends
		for _, c := range list {
			from, to = min(from, c.start), max(to, c.ends)
		}
		calendar := newCalendar(v.opts.Location, from, to)
		for _, c := range list {
			if c.ends > c.start && calendar.end(Period(c.period), c.start) == c.ends {
				continue
			}
			if count++; count == 1 {
				first = v.name(c)
			}
		}
		return nil
	})
	if err != nil {
		return 0, "", fmt.Errorf("compare closed periods with the calendar: %w", err)
	}
	return count, first, nil
}
