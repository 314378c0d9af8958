package verify

import (
	"context"
	"fmt"
)

// memberships checks that each membership ends after it began, and before the same user's next
// membership in that group begins.
func (v *verification) memberships(ctx context.Context) (Difference, error) {
	var id, kind, group, wrong string
	found, err := v.first(ctx, `
		SELECT u.id, m.kind, m.group_id,
		       iif(m.until < m.since, 'ends before it began', 'lasts beyond the beginning of the next')
		FROM (
			SELECT user, kind, group_id, since, until,
			       lead(since) OVER (PARTITION BY user, kind, group_id ORDER BY since) AS next
			FROM memberships
		) m JOIN users u ON u.number = m.user
		WHERE m.until < m.since OR m.next IS NOT NULL AND coalesce(m.until > m.next, TRUE)
		LIMIT 1`, nil, &id, &kind, &group, &wrong)
	if !found {
		return "", err
	}
	return Difference(fmt.Sprintf("memberships has one of user %q in %s %q that %s", id, kind, group, wrong)), nil
}

// friends checks that no user has asked to be friends with themselves.
func (v *verification) friends(ctx context.Context) (Difference, error) {
	var id string
	found, err := v.first(ctx, `SELECT u.id FROM friends f JOIN users u ON u.number = f.user WHERE f.user = f.friend LIMIT 1`, nil, &id)
	if !found {
		return "", err
	}
	return Difference(fmt.Sprintf("friends has user %q as a friend of themselves", id)), nil
}
