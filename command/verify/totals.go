package verify

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Totals checks everything in the database that follows from the ledger, and the ledger and the
// file themselves, as they were at one moment. It returns the first difference. A million users
// with five million rows in the ledger take some minutes.
func (d *DB) Totals(ctx context.Context) (found Difference, err error) {
	err = d.at(ctx, func(v *verification) error {
		found, err = v.totals(ctx)
		return err
	})
	return found, err
}

func (v *verification) totals(ctx context.Context) (Difference, error) {
	for _, c := range []struct {
		what  string
		count string // a query for the number of rows or pages that are checked
		find  func(context.Context) (Difference, error)
	}{
		{"pages of the file", `SELECT page_count FROM pragma_page_count`, v.damage},
		{"tables, references between them", `SELECT count(*) FROM sqlite_schema WHERE type = 'table'`, v.dangling},
		{"rows of the ledger, in order", `SELECT count(*) FROM ledger`, v.disorder},
		{"rows of the ledger, each total from the one before", `SELECT count(*) FROM ledger`, v.brokenChain},
		{"state, the last number given", `SELECT count(*) FROM state`, v.state},
		{"idempotency keys, their rows and answers", `SELECT count(*) FROM keys`, v.keys},
		{"users, each with totals", `SELECT count(*) FROM users`, v.lackingTotals},
		{"totals, sums of the ledger", `SELECT count(*) FROM totals`, v.sums},
		{"totals, starts of the periods", `SELECT count(*) FROM totals`, v.starts},
		{"memberships", `SELECT count(*) FROM memberships`, v.memberships},
		{"friendships", `SELECT count(*) FROM friends`, v.friends},
		{"closed periods", `SELECT count(*) FROM closings WHERE complete = 1`, v.closings},
		{"places in closed periods", `SELECT count(*) FROM finals`, v.strayPlaces},
	} {
		found, err := c.find(ctx)
		if err != nil {
			return "", fmt.Errorf("check %s: %w", c.what, err)
		}
		if found != "" {
			return found, nil
		}
		if v.opts.Checked == nil {
			continue
		}
		var count int64
		if err := v.tx.QueryRowContext(ctx, c.count).Scan(&count); err != nil {
			return "", fmt.Errorf("count %s: %w", c.what, err)
		}
		v.opts.Checked(c.what, count)
	}
	return "", nil
}

func (v *verification) lackingTotals(ctx context.Context) (Difference, error) {
	var id string
	found, err := v.first(ctx, `
		SELECT u.id FROM users u LEFT JOIN totals t ON t.user = u.number WHERE t.user IS NULL LIMIT 1`, nil, &id)
	if !found {
		return "", err
	}
	return Difference(fmt.Sprintf("totals has no row for user %q", id)), nil
}

// sums compares the points in totals with the sums of the ledger's rows. It takes the starts of
// periods from totals; starts checks those.
func (v *verification) sums(ctx context.Context) (Difference, error) {
	columns := [...]string{
		"xp", "ml_coins", "reached", "day_xp", "day_reached", "prior_day_xp",
		"week_xp", "week_reached", "prior_week_xp", "month_xp", "month_reached", "prior_month_xp",
	}
	var id string
	var is, says [len(columns)]int64
	dest := []any{&id}
	for i := range columns {
		dest = append(dest, &is[i])
	}
	for i := range columns {
		dest = append(dest, &says[i])
	}
	found, err := v.first(ctx, `
		SELECT u.id, t.xp, t.ml_coins, t.reached,
		       t.day_xp, t.day_reached, t.prior_day_xp,
		       t.week_xp, t.week_reached, t.prior_week_xp,
		       t.month_xp, t.month_reached, t.prior_month_xp,
		       s.xp, s.ml_coins, s.reached,
		       s.day_xp, s.day_reached, s.prior_day_xp,
		       s.week_xp, s.week_reached, s.prior_week_xp,
		       s.month_xp, s.month_reached, s.prior_month_xp
		FROM (
			SELECT t.user,
			       coalesce(sum(l.xp), 0) AS xp,
			       coalesce(sum(l.ml_coins), 0) AS ml_coins,
			       coalesce(max(l.seq) FILTER (WHERE l.xp <> 0), 0) AS reached,
			       coalesce(sum(l.xp) FILTER (WHERE l.at >= t.day), 0) AS day_xp,
			       coalesce(max(l.seq) FILTER (WHERE l.xp <> 0 AND l.at < t.day), 0) AS day_reached,
			       coalesce(sum(l.xp) FILTER (WHERE l.at >= t.prior_day AND l.at < t.day), 0) AS prior_day_xp,
			       coalesce(sum(l.xp) FILTER (WHERE l.at >= t.week), 0) AS week_xp,
			       coalesce(max(l.seq) FILTER (WHERE l.xp <> 0 AND l.at < t.week), 0) AS week_reached,
			       coalesce(sum(l.xp) FILTER (WHERE l.at >= t.prior_week AND l.at < t.week), 0) AS prior_week_xp,
			       coalesce(sum(l.xp) FILTER (WHERE l.at >= t.month), 0) AS month_xp,
			       coalesce(max(l.seq) FILTER (WHERE l.xp <> 0 AND l.at < t.month), 0) AS month_reached,
			       coalesce(sum(l.xp) FILTER (WHERE l.at >= t.prior_month AND l.at < t.month), 0) AS prior_month_xp
			FROM totals t LEFT JOIN ledger l ON l.user = t.user
			GROUP BY t.user
		) s JOIN totals t ON t.user = s.user JOIN users u ON u.number = s.user
		WHERE (t.xp, t.ml_coins, t.reached,
		       t.day_xp, t.day_reached, t.prior_day_xp,
		       t.week_xp, t.week_reached, t.prior_week_xp,
		       t.month_xp, t.month_reached, t.prior_month_xp)
		   <> (s.xp, s.ml_coins, s.reached,
		       s.day_xp, s.day_reached, s.prior_day_xp,
		       s.week_xp, s.week_reached, s.prior_week_xp,
		       s.month_xp, s.month_reached, s.prior_month_xp)
		LIMIT 1`, nil, dest...)
	if !found {
		return "", err
	}
	for i, name := range columns {
		if is[i] != says[i] {
			return Difference(fmt.Sprintf("totals.%s of user %q is %d; the ledger says %d", name, id, is[i], says[i])), nil
		}
	}
	return "", nil
}

// startsOfPeriods begins a query. Its table starts has a row for each start of a period in totals:
// the user, the column's name, the period, the start, and points, the time at which the user's
// points last changed. For a prior_ column, it is when they last changed before the newer period.
// It is 0 if they did not.
const startsOfPeriods = `
	WITH gains AS MATERIALIZED (
		SELECT t.user,
		       coalesce(max(l.at), 0) AS last,
		       coalesce(max(l.at) FILTER (WHERE l.at < t.day), 0) AS before_day,
		       coalesce(max(l.at) FILTER (WHERE l.at < t.week), 0) AS before_week,
		       coalesce(max(l.at) FILTER (WHERE l.at < t.month), 0) AS before_month
		FROM totals t LEFT JOIN ledger l ON l.user = t.user AND l.xp <> 0
		GROUP BY t.user
	),
	starts AS (
		SELECT user, 'day' AS name, 'daily' AS period, day AS start, last AS points FROM gains JOIN totals USING (user)
		UNION ALL
		SELECT user, 'prior_day', 'daily', prior_day, before_day FROM gains JOIN totals USING (user)
		UNION ALL
		SELECT user, 'week', 'weekly', week, last FROM gains JOIN totals USING (user)
		UNION ALL
		SELECT user, 'prior_week', 'weekly', prior_week, before_week FROM gains JOIN totals USING (user)
		UNION ALL
		SELECT user, 'month', 'monthly', month, last FROM gains JOIN totals USING (user)
		UNION ALL
		SELECT user, 'prior_month', 'monthly', prior_month, before_month FROM gains JOIN totals USING (user)
	)`

// starts checks that each start in totals begins the calendar period in which the user's points
// changed.
func (v *verification) starts(ctx context.Context) (found Difference, err error) {
	calendar, err := v.ledgerCalendar(ctx)
	if err != nil {
		return "", err
	}
	// Grouped, since there are far fewer different starts than users.
	rows, err := v.tx.QueryContext(ctx, startsOfPeriods+`
		SELECT name, period, start, min(points), max(points) FROM starts GROUP BY name, period, start`)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var column string
		var period Period
		var start, first, last int64
		if err := rows.Scan(&column, &period, &start, &first, &last); err != nil {
			return "", err
		}
		end := start + 1 // a start of 0 is for no points, whose time is 0
		if start != 0 {
			end = calendar.end(period, start)
		}
		if first < start || last >= end {
			return v.wrongStart(ctx, calendar, column, period, start, end)
		}
	}
	return "", rows.Err()
}

// wrongStart returns the difference for a user whose totals put a change of points into the period
// from start to end, although the points did not change in it.
func (v *verification) wrongStart(ctx context.Context, c *calendar, column string, period Period, start, end int64) (Difference, error) {
	var id string
	var points int64
	found, err := v.first(ctx, startsOfPeriods+`
		SELECT u.id, points FROM starts s JOIN users u ON u.number = s.user
		WHERE s.name = ? AND s.start = ? AND NOT (points >= ? AND points < ?) LIMIT 1`,
		[]any{column, start, start, end}, &id, &points)
	switch {
	case !found:
		return "", err
	case points == 0:
		return Difference(fmt.Sprintf("totals.%s of user %q is %s; the ledger has no points of the user that could be in it", column, id, v.clock(start))), nil
	case start == 0:
		return Difference(fmt.Sprintf("totals.%s of user %q is 0; the ledger has points of the user at %s", column, id, v.clock(points))), nil
	}
	_, begins, _, _ := c.around(period, points)
	return Difference(fmt.Sprintf("totals.%s of user %q is %s; it is for the points of %s, and the %s period of those begins at %s in %s",
		column, id, v.clock(start), v.clock(points), period, v.clock(begins), v.opts.Location)), nil
}

// ledgerCalendar returns the calendar of the times in the ledger.
func (v *verification) ledgerCalendar(ctx context.Context) (*calendar, error) {
	var first, last int64
	err := v.tx.QueryRowContext(ctx, `
		SELECT coalesce((SELECT at FROM ledger ORDER BY seq LIMIT 1), 0),
		       coalesce((SELECT at FROM ledger ORDER BY seq DESC LIMIT 1), 0)`).Scan(&first, &last)
	if err != nil {
		return nil, err
	}
	return newCalendar(v.opts.Location, first, last), nil
}

// clock writes a time in Unix milliseconds, and as the clocks of the time zone show it.
func (v *verification) clock(ms int64) string {
	return fmt.Sprintf("%d (%s)", ms, time.UnixMilli(ms).In(v.opts.Location).Format(time.RFC3339))
}
