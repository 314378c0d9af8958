package live

import (
	"context"
	"fmt"
	"time"

	"marcador/store"
)

// Badges returns the table of badges, lowest first. The caller must not change it.
func (s *Service) Badges() []store.Badge {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.badges
}

// PutBadges replaces the table of badges. It must be sorted by MinXP, and its first badge must
// begin at 0 points. All boards change at once.
func (s *Service) PutBadges(ctx context.Context, badges []store.Badge) error {
	return s.store.PutBadges(ctx, badges)
}

// badge returns the name of the badge that a total earns. mu must be held.
func (s *Service) badge(xp int64) string {
	name := s.badges[0].Name
	for _, b := range s.badges {
		if xp < b.MinXP {
			break
		}
		name = b.Name
	}
	return name
}

// Limit returns how many of a board's best entries ordinary readers are shown. 0 means all. If
// the board has no limit of its own, the limit of its kind applies, such as that of "friends:*".
func (s *Service) Limit(board string) int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.limitOf(board)
}

// limitOf does the work of Limit. mu must be held.
func (s *Service) limitOf(board string) int {
	if len(s.limits) == 0 {
		return 0 // the usual case, and every update asks
	}
	if limit, ok := s.limits[board]; ok {
		return limit
	}
	kind, _ := KindOf(board)
	return s.limits[kind+allOfKind]
}

// PutLimit sets how many of a board's best entries ordinary readers are shown. 0 means all. A
// name such as "school:*" sets the limit of a kind.
func (s *Service) PutLimit(ctx context.Context, board string, top int) error {
	return s.store.PutLimit(ctx, store.Limit{Board: board, Top: top})
}

// Location returns the time zone in which days begin.
func (s *Service) Location() *time.Location { return s.opts.Location }

// Ranks returns how equal scores are numbered: "ordinal", "competition" or "dense".
func (s *Service) Ranks() string { return s.opts.Ranks.String() }

// IsMember reports whether being on the board entitles the user to read it. Everybody may read
// the global board, members may read the board of their group, and a user may read the board of
// their own friends. The error may be ErrUnknownBoard.
func (s *Service) IsMember(ctx context.Context, board, user string) (bool, error) {
	kind, ok := KindOf(board)
	switch {
	case !ok:
		return false, fmt.Errorf("%w: %q", ErrUnknownBoard, board)
	case kind == Global:
		return true, nil
	case kind == Friends:
		return board == Friends+":"+user, nil
	}
	return s.store.IsMember(ctx, board, user)
}
