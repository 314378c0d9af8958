package live

import (
	"context"
	"fmt"
	"sort"

	"marcador/store"
)

// maxCachedFinals bounds the places of a closed period that are read and kept together.
const maxCachedFinals = 10_000

// SizeOfFinals is about how many bytes are read for a final page beside its entries: all places of
// a group are, to be kept.
const SizeOfFinals = maxCachedFinals * 256

// finals returns places of a board in a closed period as store.Finals does. A closed period
// changes only in who may be seen. So a group's places are kept until somebody is hidden, shown or
// erased, or another program writes to the file.
func (s *Service) finals(ctx context.Context, c *store.Closing, q *Query, limit int) (me *store.NamedFinal, finals []store.NamedFinal, total int, err error) {
	kind, _ := KindOf(q.Board)
	if kind == Global || kind == Friends { // they are found by position; friends are those of now
		me, finals, total, err = s.store.Finals(ctx, c, q.Board, q.Offset, limit, q.Caller)
	} else {
		me, finals, total, err = s.finalsOfGroup(ctx, c, q, limit)
	}
	if err != nil {
		err = fmt.Errorf("read closed period of board %q: %w", q.Board, err)
	}
	return me, finals, total, err
}

func (s *Service) finalsOfGroup(ctx context.Context, c *store.Closing, q *Query, limit int) (me *store.NamedFinal, finals []store.NamedFinal, total int, err error) {
	all, err := s.groupFinals(ctx, c, q.Board, -1, 0)
	if err != nil {
		return nil, nil, 0, err
	}
	if all.tooMany {
		if all, err = s.groupFinals(ctx, c, q.Board, q.Offset, limit); err != nil {
			return nil, nil, 0, err
		}
		finals = all.rows
	} else {
		at := func(place int) int {
			return sort.Search(len(all.rows), func(i int) bool { return all.rows[i].Position > place })
		}
		finals = all.rows[at(q.Offset):at(q.Offset+limit)]
	}
	if q.Caller == "" {
		return nil, finals, all.total, nil
	}
	for i := range all.rows {
		if all.rows[i].ID == q.Caller {
			return &all.rows[i], finals, all.total, nil
		}
	}
	me, err = s.ownFinal(ctx, c, q)
	return me, finals, all.total, err
}

// groupFinals returns all places of a group, or where they are too many, some.
func (s *Service) groupFinals(ctx context.Context, c *store.Closing, board string, offset, limit int) (*finalRows, error) {
	key := cacheKey{closing: closedOf(c), generation: s.finalsGeneration.Load(), board: board, offset: offset, limit: limit}
	if p, ok := s.cachedFinals(key); ok {
		return p, nil
	}
	p := &finalRows{}
	var err error
	if offset >= 0 {
		_, p.rows, p.total, err = s.store.Finals(ctx, c, board, offset, limit, "")
	} else if p.total, err = s.store.CountFinals(ctx, c, board); err == nil {
		if p.tooMany = p.total > maxCachedFinals; !p.tooMany {
			_, p.rows, _, err = s.store.Finals(ctx, c, board, 0, p.total, "")
		}
	}
	if err != nil {
		return nil, err
	}
	if offset < 0 || len(p.rows) > 0 { // behind the last there is no end of offsets
		s.cache.add(key, p)
	}
	return p, nil
}

// ownFinal returns the place of a caller who is not among those that others see, or nil.
func (s *Service) ownFinal(ctx context.Context, c *store.Closing, q *Query) (*store.NamedFinal, error) {
	key := cacheKey{closing: closedOf(c), generation: s.finalsGeneration.Load(), board: q.Board, own: q.Caller}
	p, ok := s.cachedFinals(key)
	if !ok {
		me, _, _, err := s.store.Finals(ctx, c, q.Board, 0, 0, q.Caller)
		if err != nil {
			return nil, err
		}
		p = &finalRows{}
		if me != nil {
			p.rows = []store.NamedFinal{*me}
		}
		s.cache.add(key, p)
	}
	if len(p.rows) == 0 {
		return nil, nil //nolint:nilnil // there is none, and nothing is wrong
	}
	return &p.rows[0], nil
}

func (s *Service) cachedFinals(key cacheKey) (*finalRows, bool) {
	p, ok := s.cache.get(key).(*finalRows)
	return p, ok
}

// forgetFinals has places of closed periods be read again: who is seen on them has changed. Those
// that are kept are not found any more, and go as the oldest do.
func (s *Service) forgetFinals() { s.finalsGeneration.Add(1) }

// closedKey names a closed period. Its number alone may be another's later.
type closedKey struct {
	number, start int64
	period        Period
}

func closedOf(c *store.Closing) closedKey { return closedKey{c.Number, c.Start.UnixMilli(), c.Period} }
