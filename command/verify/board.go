package verify

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
)

// Row is what a board has to show for one user.
type Row struct {
	UserID  string
	Rank    int
	Prior   int   // the rank in the baseline; 0 if the user was not on the board then
	Score   int64 // points gained in the period
	XP      int64 // points in all
	MLCoins int64 // coins in all
	Badge   string
}

// Board returns the rows that a board has to show in the present period, best first, without
// hidden users. The present period is the one that now lies in, or the database's last change if
// that is later. A board without members has no rows. O(the members' rows in the ledger).
func (d *DB) Board(ctx context.Context, board string, period Period, now time.Time) ([]Row, error) {
	return d.rows(ctx, board, period, now, false)
}

// Hidden is Board for the hidden users alone. Each has the rank that they would have if they
// alone were shown, and no rank in the baseline. O(hidden members × other members).
func (d *DB) Hidden(ctx context.Context, board string, period Period, now time.Time) ([]Row, error) {
	return d.rows(ctx, board, period, now, true)
}

func (d *DB) rows(ctx context.Context, board string, period Period, now time.Time, hidden bool) (rows []Row, err error) {
	err = d.at(ctx, func(v *verification) error {
		rows, err = v.board(ctx, board, period, now, hidden)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("compute %s board %q: %w", period, board, err)
	}
	return rows, nil
}

// spans say which points count, in Unix milliseconds. The board has the points gained since start;
// its baseline has the points gained from before, included, to since, excluded.
type spans struct {
	allTime              bool
	start, before, since int64
}

func (v *verification) spans(ctx context.Context, period Period, now time.Time) (spans, error) {
	var at int64
	if err := v.tx.QueryRowContext(ctx, `SELECT at FROM state`).Scan(&at); err != nil {
		return spans{}, fmt.Errorf("read state: %w", err)
	}
	at = max(at, now.UnixMilli())
	baseline := period
	if period == AllTime {
		baseline = v.opts.Baseline
	}
	before, start, _, ok := newCalendar(v.opts.Location, at, at).around(baseline, at)
	if !ok {
		return spans{}, fmt.Errorf("no calendar reaches as far as %s", v.clock(at))
	}
	if period == AllTime {
		return spans{true, math.MinInt64, math.MinInt64, start}, nil
	}
	return spans{false, start, before, start}, nil
}

func (v *verification) board(ctx context.Context, board string, period Period, now time.Time, hidden bool) (list []Row, err error) {
	s, err := v.spans(ctx, period, now)
	if err != nil {
		return nil, err
	}
	kind, group, grouped := strings.Cut(board, ":")
	rows, err := v.tx.QueryContext(ctx, `
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
		points AS MATERIALIZED (
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
			SELECT user, id, hidden, score, reached, xp, ml_coins FROM points
			WHERE :all_time OR gains > 0
		),
		baseline AS MATERIALIZED (
			SELECT user, CASE :numbering
			           WHEN 'dense' THEN dense_rank() OVER (ORDER BY prior_score DESC)
			           WHEN 'competition' THEN rank() OVER (ORDER BY prior_score DESC)
			           ELSE row_number() OVER (ORDER BY prior_score DESC, prior_reached, id)
			       END AS rank
			FROM points
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
		sql.Named("since", s.since), sql.Named("numbering", v.opts.Numbering), sql.Named("hidden", hidden), sql.Named("friends", v.opts.Friends))
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
