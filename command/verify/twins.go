package verify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"marcador/internal/validate"
)

// Twins are different ids that look the same. Only older versions let such ids into a database.
// Points given to one of them do not reach the others.
type Twins struct {
	Kind string // "user", or a kind of group
	IDs  []string
}

func (t Twins) String() string {
	quoted := make([]string, len(t.IDs))
	for i, id := range t.IDs {
		quoted[i] = fmt.Sprintf("%+q", id) // in ASCII, since they would look the same here too
	}
	return fmt.Sprintf("%s ids that look the same and are not: %s", t.Kind, strings.Join(quoted, ", "))
}

// Twins returns the twins among users and among groups that have members, in order. They are no
// difference: the ledger knows which id was meant.
func (d *DB) Twins(ctx context.Context) (twins []Twins, err error) {
	err = d.at(ctx, func(v *verification) error {
		// Of two ids that look the same, one at least has a character outside of ! to ~.
		const other = `GLOB '*[^!-~]*'`
		for _, q := range [][2]string{{
			`SELECT 'user', id FROM users WHERE id ` + other,
			`SELECT count(*) FROM users WHERE ?1 = 'user' AND id = ?2`,
		}, {
			`SELECT DISTINCT kind, group_id FROM memberships WHERE until IS NULL AND group_id ` + other,
			`SELECT count(*) FROM (SELECT 1 FROM memberships WHERE kind = ?1 AND group_id = ?2 AND until IS NULL LIMIT 1)`,
		}} {
			found, err := v.twins(ctx, q[0], q[1])
			if err != nil {
				return fmt.Errorf("look for twins: %w", err)
			}
			twins = append(twins, found...)
		}
		return nil
	})
	return twins, err
}

// twins looks for twins among the kinds and ids that the query candidates selects. The query count
// returns how many of a kind have exactly one id.
func (v *verification) twins(ctx context.Context, candidates, count string) (twins []Twins, err error) {
	type look struct{ kind, id string }
	alike := map[look][]string{}
	rows, err := v.tx.QueryContext(ctx, candidates)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var kind, id string
		if err := rows.Scan(&kind, &id); err != nil {
			return nil, err
		}
		if seen := validate.Looks(id); seen != id { // most ids with accents already have this form
			alike[look{kind, seen}] = append(alike[look{kind, seen}], id)
		}
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	order := func(a, b look) int { return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.id, b.id)) }
	for _, l := range slices.SortedFunc(maps.Keys(alike), order) {
		var there int
		if err := v.tx.QueryRowContext(ctx, count, l.kind, l.id).Scan(&there); err != nil {
			return nil, err
		}
		ids := slices.Sorted(slices.Values(alike[l]))
		if there > 0 {
			ids = append([]string{l.id}, ids...)
		}
		if len(ids) > 1 {
			twins = append(twins, Twins{l.kind, ids})
		}
	}
	return twins, nil
}

// Any returns the kinds, "user" first, that have validate.Any as an id. Only older versions let it
// into a database. A limit on all boards of such a kind is also the limit of that one board.
func (d *DB) Any(ctx context.Context) (kinds []string, err error) {
	err = d.at(ctx, func(v *verification) (err error) {
		rows, err := v.tx.QueryContext(ctx, `
			SELECT 'user' FROM users WHERE id = ?1
			UNION ALL SELECT kind FROM (SELECT DISTINCT kind FROM memberships WHERE until IS NULL AND group_id = ?1 ORDER BY kind)`, validate.Any)
		if err != nil {
			return fmt.Errorf("look for the id %s: %w", validate.Any, err)
		}
		defer func() { err = errors.Join(err, rows.Close()) }()
		for rows.Next() {
			var kind string
			if err := rows.Scan(&kind); err != nil {
				return fmt.Errorf("look for the id %s: %w", validate.Any, err)
			}
			kinds = append(kinds, kind)
		}
		return rows.Err()
	})
	return kinds, err
}
