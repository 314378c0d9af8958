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

// Twins are ids of a kind, as a database of an older version may have them, that look the
// same and are not. Points given to one of them do not reach the others.
type Twins struct {
	Kind string // user, or a kind of group
	IDs  []string
}

func (t Twins) String() string {
	quoted := make([]string, len(t.IDs))
	for i, id := range t.IDs {
		quoted[i] = fmt.Sprintf("%+q", id) // in ASCII, or they would look the same here too
	}
	return fmt.Sprintf("%s ids that look the same and are not: %s", t.Kind, strings.Join(quoted, ", "))
}

// Twins returns the twins among users, and among present groups, in order. They are no
// difference: nothing is merged by itself.
func (d *DB) Twins(ctx context.Context) (twins []Twins, err error) {
	err = d.at(ctx, func(m *moment) error {
		// An id of other characters than these looks like one without them, or with others.
		const other = `GLOB '*[^!-~]*'`
		for _, q := range [][2]string{{
			`SELECT 'user', id FROM users WHERE id ` + other,
			`SELECT count(*) FROM users WHERE ?1 = 'user' AND id = ?2`,
		}, {
			`SELECT DISTINCT kind, group_id FROM memberships WHERE until IS NULL AND group_id ` + other,
			`SELECT count(*) FROM (SELECT 1 FROM memberships WHERE kind = ?1 AND group_id = ?2 AND until IS NULL LIMIT 1)`,
		}} {
			found, err := m.twins(ctx, q[0], q[1])
			if err != nil {
				return fmt.Errorf("look for twins: %w", err)
			}
			twins = append(twins, found...)
		}
		return nil
	})
	return twins, err
}

// twins looks among the ids that candidates selects. count counts those of a kind that are
// to the letter so.
func (m *moment) twins(ctx context.Context, candidates, count string) (twins []Twins, err error) {
	type look struct{ kind, id string }
	alike := map[look][]string{}
	rows, err := m.tx.QueryContext(ctx, candidates)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var kind, id string
		if err := rows.Scan(&kind, &id); err != nil {
			return nil, err
		}
		if seen := validate.Looks(id); seen != id { // most ids with accents are as they are kept
			alike[look{kind, seen}] = append(alike[look{kind, seen}], id)
		}
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	order := func(a, b look) int { return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.id, b.id)) }
	for _, l := range slices.SortedFunc(maps.Keys(alike), order) {
		var there int
		if err := m.tx.QueryRowContext(ctx, count, l.kind, l.id).Scan(&there); err != nil {
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

// Any returns the kinds, user first, of which an id is validate.Any, as it may be in a database of
// an older version. A limit on all boards of the kind is then one on that board as well.
func (d *DB) Any(ctx context.Context) (kinds []string, err error) {
	err = d.at(ctx, func(m *moment) (err error) {
		rows, err := m.tx.QueryContext(ctx, `
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
