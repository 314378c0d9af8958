package verify

import (
	"context"
	"fmt"
	"time"
)

// Totals checks the database in itself, as it was at one moment: the file, the
// ledger, and everything that follows from it. It returns the first difference. On a
// million users with five million rows in the ledger it takes some minutes.
func (d *DB) Totals(ctx context.Context) (found Difference, err error) {
	err = d.at(ctx, func(m *moment) error {
		found, err = m.totals(ctx)
		return err
	})
	return found, err
}

func (m *moment) totals(ctx context.Context) (Difference, error) {
	for _, c := range []struct {
		what  string
		count string // a query for how many there are
		find  func(context.Context) (Difference, error)
	}{
		{"pages of the file", `SELECT page_count FROM pragma_page_count`, m.damage},
		{"tables, references between them", `SELECT count(*) FROM sqlite_schema WHERE type = 'table'`, m.dangling},
		{"rows of the ledger, in order", `SELECT count(*) FROM ledger`, m.disorder},
		{"rows of the ledger, each total from the one before", `SELECT count(*) FROM ledger`, m.brokenChain},
		{"state, the last number given", `SELECT count(*) FROM state`, m.state},
		{"idempotency keys, their rows and answers", `SELECT count(*) FROM keys`, m.keys},
		{"users, each with totals", `SELECT count(*) FROM users`, m.lackingTotals},
		{"totals, sums of the ledger", `SELECT count(*) FROM totals`, m.sums},
		{"totals, starts of the periods", `SELECT count(*) FROM totals`, m.starts},
		{"memberships", `SELECT count(*) FROM memberships`, m.memberships},
		{"friendships", `SELECT count(*) FROM friends`, m.friends},
		{"closed periods", `SELECT count(*) FROM closings WHERE complete = 1`, m.closings},
		{"places in closed periods", `SELECT count(*) FROM finals`, m.strayPlaces},
	} {
		found, err := c.find(ctx)
		if err != nil {
			return "", fmt.Errorf("check %s: %w", c.what, err)
		}
		if found != "" {
			return found, nil
		}
		if m.opts.Checked == nil {
			continue
		}
		var count int64
		if err := m.tx.QueryRowContext(ctx, c.count).Scan(&count); err != nil {
			return "", fmt.Errorf("count %s: %w", c.what, err)
		}
		m.opts.Checked(c.what, count)
	}
	return "", nil
}

func (m *moment) lackingTotals(ctx context.Context) (Difference, error) {
	var id string
	found, err := m.first(ctx, `
		SELECT u.id FROM users u LEFT JOIN totals t ON t.user = u.number WHERE t.user IS NULL LIMIT 1`, nil, &id)
	if !found {
		return "", err
	}
	return Difference(fmt.Sprintf("totals has no row for user %q", id)), nil
}

// sums compares what the totals have with what the ledger's rows add up to, between
// the starts that the totals name.
func (m *moment) sums(ctx context.Context) (Difference, error) {
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
	found, err := m.first(ctx, `
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

// starts checks that the periods that the totals name are ones in which the user
// gained points, the last two of them. Which moment a period begins at is the zone's
// to say, and the zone may have been another then: so a period is only known to be
// no longer than one can be.
func (m *moment) starts(ctx context.Context) (Difference, error) {
	var id, column string
	var is, last int64
	found, err := m.first(ctx, `
		WITH gains AS (
			SELECT t.user,
			       coalesce(max(l.at), 0) AS last,
			       coalesce(max(l.at) FILTER (WHERE l.at < t.day), 0) AS before_day,
			       coalesce(max(l.at) FILTER (WHERE l.at < t.week), 0) AS before_week,
			       coalesce(max(l.at) FILTER (WHERE l.at < t.month), 0) AS before_month
			FROM totals t LEFT JOIN ledger l ON l.user = t.user AND l.xp <> 0
			GROUP BY t.user
		)
		SELECT u.id, w.name, w.start, w.last
		FROM (
			SELECT user, 'day' AS name, day AS start, last, 26 * 3600000 AS length
			FROM gains JOIN totals USING (user)
			UNION ALL
			SELECT user, 'prior_day', prior_day, before_day, 26 * 3600000 FROM gains JOIN totals USING (user)
			UNION ALL
			SELECT user, 'week', week, last, 170 * 3600000 FROM gains JOIN totals USING (user)
			UNION ALL
			SELECT user, 'prior_week', prior_week, before_week, 170 * 3600000 FROM gains JOIN totals USING (user)
			UNION ALL
			SELECT user, 'month', month, last, 746 * 3600000 FROM gains JOIN totals USING (user)
			UNION ALL
			SELECT user, 'prior_month', prior_month, before_month, 746 * 3600000 FROM gains JOIN totals USING (user)
		) w JOIN users u ON u.number = w.user
		WHERE (w.start = 0) <> (w.last = 0) OR w.start <> 0 AND NOT (w.start <= w.last AND w.last < w.start + w.length)
		LIMIT 1`, nil, &id, &column, &is, &last)
	switch {
	case !found:
		return "", err
	case last == 0:
		return Difference(fmt.Sprintf("totals.%s of user %q is %s; the ledger has no points of theirs to be in it", column, id, m.clock(is))), nil
	case is == 0:
		return Difference(fmt.Sprintf("totals.%s of user %q is 0; the ledger has points of theirs at %s", column, id, m.clock(last))), nil
	}
	return Difference(fmt.Sprintf("totals.%s of user %q is %s; the ledger's last points of theirs that have to be in it are of %s",
		column, id, m.clock(is), m.clock(last))), nil
}

// clock words a time, by the clock of the place that days begin in.
func (m *moment) clock(ms int64) string {
	return fmt.Sprintf("%d (%s)", ms, time.UnixMilli(ms).In(m.opts.Location).Format(time.RFC3339))
}
