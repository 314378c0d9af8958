package verify

import (
	"context"
	"fmt"
)

// memberships checks that a membership ends after it began, and before the user's
// next of the same group begins.
func (m *moment) memberships(ctx context.Context) (Difference, error) {
	var id, kind, group, wrong string
	found, err := m.first(ctx, `
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

// friends checks that each friendship is there in both directions, of one date.
func (m *moment) friends(ctx context.Context) (Difference, error) {
	var id, other string
	var since, back int64
	found, err := m.first(ctx, `
		SELECT u.id, o.id, f.since, coalesce(b.since, 0)
		FROM friends f
		LEFT JOIN friends b ON b.user = f.friend AND b.friend = f.user
		JOIN users u ON u.number = f.user
		JOIN users o ON o.number = f.friend
		WHERE b.since IS NOT f.since
		LIMIT 1`, nil, &id, &other, &since, &back)
	switch {
	case !found:
		return "", err
	case back == 0:
		return Difference(fmt.Sprintf("friends has user %q with friend %q, and not the other way", id, other)), nil
	}
	return Difference(fmt.Sprintf("friends.since of user %q with friend %q is %s; the other way it is %s",
		id, other, m.clock(since), m.clock(back))), nil
}
