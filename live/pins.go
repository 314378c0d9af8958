package live

import (
	"cmp"
	"context"
	"fmt"
	"slices"
)

const (
	// maxLoadedMembers bounds the cost of all boards in memory. Above it, the least recently used
	// boards that are not pinned are dropped. They are loaded again when they are asked for.
	// Pinned boards stay, even above the bound.
	maxLoadedMembers = 300_000

	// emptyBoardMembers is the cost of a board without members.
	emptyBoardMembers = 50
)

// pin returns the board with that name, and loads it if needed. The board stays in memory until
// unpin is called. The error is ErrUnknownBoard, or says why the database can't be read.
func (s *Service) pin(ctx context.Context, name string) (*board, error) {
	if _, ok := KindOf(name); !ok {
		return nil, fmt.Errorf("%w: %q", ErrUnknownBoard, name)
	}
	for {
		s.mu.RLock()
		b := s.boards[name]
		if b != nil {
			b.pins.Add(1)
			b.used.Store(s.uses.Add(1))
		}
		s.mu.RUnlock()
		if b != nil {
			return b, nil
		}
		if err := s.loadBoard(ctx, name); err != nil {
			return nil, err
		}
	}
}

func (b *board) unpin() { b.pins.Add(-1) }

// evict drops boards that are not pinned, if the boards in memory cost too much. To look at all
// boards takes time, so it does that only when the cost has grown by a fifth since the last
// time. mu must be held.
func (s *Service) evict() {
	if s.loadedMembers <= s.evictAt {
		return
	}
	var idle []*board
	for _, b := range s.boards {
		if b != s.global && b.pins.Load() == 0 {
			idle = append(idle, b)
		}
	}
	slices.SortFunc(idle, func(a, b *board) int { return cmp.Compare(a.used.Load(), b.used.Load()) })
	for _, b := range idle {
		if s.loadedMembers <= maxLoadedMembers*4/5 {
			break
		}
		s.drop(b)
	}
	s.evictAt = max(maxLoadedMembers, s.loadedMembers*6/5)
}

// cost is about how much memory the board takes. The unit is the memory of one member.
func (b *board) cost() int { return len(b.members) + emptyBoardMembers }

// drop removes a board and its pages from memory. mu must be held.
func (s *Service) drop(b *board) {
	delete(s.boards, b.name)
	for _, r := range b.rankings {
		s.cache.drop(r)
	}
	s.loadedMembers -= b.cost()
	for user := range b.members {
		s.forgetBoardOf(user, b)
	}
}
