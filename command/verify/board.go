package verify

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"marcador/store"
)

// Row is what a board has to show of a user.
type Row struct {
	UserID  string
	Rank    int
	Prior   int   // the rank in the baseline; 0 where the user was not there
	Score   int64 // the points that count in the period
	XP      int64 // the total
	MLCoins int64 // likewise
	Badge   string
}

// Board returns what the ledger says of a board in a period, in order: those that
// others see. The period is the present one, which is where now or the database's
// last change lies, whichever is later. Empty for a board that nobody is in. The
// time it takes grows with the board and its users' rows in the ledger.
func (d *DB) Board(ctx context.Context, board string, period store.Period, now time.Time) ([]Row, error) {
	return d.rows(ctx, board, period, now, false)
}

// Hidden is Board for those that others do not see. Their ranks are what they would
// be among the others; there is no baseline for them. The time it takes grows with
// their number times that of the others.
func (d *DB) Hidden(ctx context.Context, board string, period store.Period, now time.Time) ([]Row, error) {
	return d.rows(ctx, board, period, now, true)
}

func (d *DB) rows(ctx context.Context, board string, period store.Period, now time.Time, hidden bool) (rows []Row, err error) {
	err = d.at(ctx, func(m *moment) error {
		rows, err = m.board(ctx, board, period, now, hidden)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("work out %s board %q: %w", period, board, err)
	}
	return rows, nil
}

// spans are the times between which points count, in Unix milliseconds: for the
// board from start, for its baseline from before to since.
type spans struct {
	allTime              bool
	start, before, since int64
}

func (m *moment) spans(ctx context.Context, period store.Period, now time.Time) (spans, error) {
	var at int64
	if err := m.tx.QueryRowContext(ctx, `SELECT at FROM state`).Scan(&at); err != nil {
		return spans{}, fmt.Errorf("read state: %w", err)
	}
	now = time.UnixMilli(max(at, now.UnixMilli())).In(m.opts.Location)
	if period == store.AllTime {
		return spans{true, math.MinInt64, math.MinInt64, m.opts.Baseline.Start(now).UnixMilli()}, nil
	}
	start := period.Start(now).UnixMilli()
	return spans{false, start, period.Before(now).UnixMilli(), start}, nil
}

func (m *moment) board(ctx context.Context, board string, period store.Period, now time.Time, hidden bool) (list []Row, err error) {
	s, err := m.spans(ctx, period, now)
	if err != nil {
		return nil, err
	}
	kind, group, grouped := strings.Cut(board, ":")
	rows, err := m.tx.QueryContext(ctx, `
		WITH members AS (
			SELECT user, min(since) AS since
			FROM (
				SELECT number AS user, seen_since AS since FROM users
				WHERE NOT :grouped AND :kind = 'global'
				UNION ALL
				SELECT user, since FROM memberships
				WHERE :grouped AND :kind <> 'friends' AND kind = :kind AND group_id = :group AND until IS NULL
				UNION ALL
				SELECT number, seen_since FROM users
				WHERE :grouped AND :kind = 'friends' AND id = :group
				UNION ALL
				SELECT w.other, CASE
				           WHEN count(*) = 2 AND :friends = 'mutual' THEN max(w.since)
				           WHEN :friends = 'open' THEN min(w.since)
				           ELSE min(iif(count(*) = 2, max(w.since), 9e15), coalesce(max(min(w.since), (
				               SELECT min(max(a.since, b.since)) FROM memberships a JOIN memberships b USING (kind, group_id)
				               WHERE a.user = w.me AND b.user = w.other AND a.until IS NULL AND b.until IS NULL
				                 AND NOT EXISTS (SELECT 1 FROM limits WHERE board = kind || ':' || group_id OR board = kind || ':*')
				           )), 9e15))
				       END AS both_since
				FROM (
					SELECT u.number AS me, f.friend AS other, f.since FROM users u JOIN friends f ON f.user = u.number
					WHERE :grouped AND :kind = 'friends' AND u.id = :group
					UNION ALL
					SELECT u.number, f.user, f.since FROM users u JOIN friends f ON f.friend = u.number
					WHERE :grouped AND :kind = 'friends' AND u.id = :group
				) w
				GROUP BY w.other
				HAVING :friends = 'open' OR count(*) = 2 AND :friends = 'mutual' OR :friends = 'group' AND both_since < 9e15
			)
			GROUP BY user
		),
		standings AS MATERIALIZED (
			SELECT u.number AS user, u.id, u.hidden,
			       coalesce(sum(l.xp), 0) AS xp,
			       coalesce(sum(l.ml_coins), 0) AS ml_coins,
			       coalesce(sum(l.xp) FILTER (WHERE l.at >= :start), 0) AS score,
			       coalesce(max(l.seq) FILTER (WHERE l.xp <> 0), 0) AS reached,
			       count(*) FILTER (WHERE l.xp <> 0 AND l.at >= :start) AS gains,
			       m.since < :since AND u.seen_since < :since AND (u.created_at < :since OR NOT :all_time) AS was_there,
			       coalesce(sum(l.xp) FILTER (WHERE l.at >= :before AND l.at < :since), 0) AS prior_score,
			       coalesce(max(l.seq) FILTER (WHERE l.xp <> 0 AND l.at < :since), 0) AS prior_reached,
			       count(*) FILTER (WHERE l.xp <> 0 AND l.at >= :before AND l.at < :since) AS prior_gains
			FROM members m JOIN users u ON u.number = m.user LEFT JOIN ledger l ON l.user = u.number
			GROUP BY m.user
		),
		present AS MATERIALIZED (
			SELECT user, id, hidden, score, reached, xp, ml_coins FROM standings
			WHERE :all_time OR gains > 0
		),
		baseline AS MATERIALIZED (
			SELECT user, CASE :numbering
			           WHEN 'dense' THEN dense_rank() OVER (ORDER BY prior_score DESC)
			           WHEN 'competition' THEN rank() OVER (ORDER BY prior_score DESC)
			           ELSE row_number() OVER (ORDER BY prior_score DESC, prior_reached, id)
			       END AS rank
			FROM standings
			WHERE hidden = 0 AND was_there AND (:all_time OR prior_gains > 0)
		)
		SELECT p.id,
		       CASE
		           WHEN p.hidden = 0 AND :numbering = 'dense' THEN dense_rank() OVER (PARTITION BY p.hidden ORDER BY p.score DESC)
		           WHEN p.hidden = 0 AND :numbering = 'competition' THEN rank() OVER (PARTITION BY p.hidden ORDER BY p.score DESC)
		           WHEN p.hidden = 0 THEN row_number() OVER (PARTITION BY p.hidden ORDER BY p.score DESC, p.reached, p.id)
		           WHEN :numbering = 'dense' THEN 1 + (
		               SELECT count(DISTINCT v.score) FROM present v WHERE v.hidden = 0 AND v.score > p.score)
		           WHEN :numbering = 'competition' THEN 1 + (
		               SELECT count(*) FROM present v WHERE v.hidden = 0 AND v.score > p.score)
		           ELSE 1 + (
		               SELECT count(*) FROM present v
		               WHERE v.hidden = 0 AND (-v.score, v.reached, v.id) < (-p.score, p.reached, p.id))
		       END,
		       coalesce(b.rank, 0), p.score, p.xp, p.ml_coins,
		       coalesce((SELECT name FROM badges WHERE min_xp <= p.xp ORDER BY min_xp DESC LIMIT 1), '')
		FROM present p LEFT JOIN baseline b ON b.user = p.user
		WHERE p.hidden = :hidden
		ORDER BY p.score DESC, p.reached, p.id`,
		sql.Named("grouped", grouped), sql.Named("kind", kind), sql.Named("group", group),
		sql.Named("all_time", s.allTime), sql.Named("start", s.start), sql.Named("before", s.before),
		sql.Named("since", s.since), sql.Named("numbering", m.opts.Numbering), sql.Named("hidden", hidden), sql.Named("friends", m.opts.Friends))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var r Row
		if err := rows.Scan(&r.UserID, &r.Rank, &r.Prior, &r.Score, &r.XP, &r.MLCoins, &r.Badge); err != nil {
			return nil, err
		}
		list = append(list, r)
	}
	return list, rows.Err()
}
