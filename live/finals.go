package live

import (
	"context"
	"fmt"
	"sort"

	"marcador/store"
)

// maxCachedFinals bounds the finals of a group that are read and cached together.
const maxCachedFinals = 10_000

// SizeOfFinals estimates how many bytes are read for a final page besides its entries. To cache
// a group's finals, all of them are read, whatever page is asked for.
const SizeOfFinals = maxCachedFinals * 256

// finalRows are finals of a board: rows of a closed period, by position.
type finalRows struct {
	rows    []store.NamedFinal
	total   int  // all of the board's finals
	tooMany bool // there are more than maxCachedFinals, so rows is empty
}

// cost estimates the size in bytes.
func (f *finalRows) cost() int {
	const row = 160
	n := maxTail / 4
	for i := range f.rows {
		n += row + len(f.rows[i].ID)
	}
	return n
}

// finals does the work of store.Finals with a cache. A closed period changes only when somebody
// is hidden, shown or erased, or when another program writes to the file. So the finals of a
// group are cached until then.
func (s *Service) finals(ctx context.Context, c *store.Closing, q *Query, limit int) (me *store.NamedFinal, finals []store.NamedFinal, total int, err error) {
	kind, _ := KindOf(q.Board)
	if kind == Global || kind == Friends {
		// The global board is found by position, without reading all of it. A board of friends has
		// the present friends, who change.
		me, finals, total, err = s.store.Finals(ctx, c, q.Board, q.Offset, limit, q.Caller)
	} else {
		me, finals, total, err = s.finalsOfGroup(ctx, c, q, limit)
	}
	if err != nil {
		err = fmt.Errorf("read closed period of board %q: %w", q.Board, err)
	}
	return me, finals, total, err
}

// finalsOfGroup does the work of finals for a group.
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
		after := func(position int) int {
			return sort.Search(len(all.rows), func(i int) bool { return all.rows[i].Position > position })
		}
		finals = all.rows[after(q.Offset):after(q.Offset+limit)]
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

// groupFinals returns the finals of a group after offset, at most limit. With the offset -1 it
// returns all of them, or says that there are too many.
func (s *Service) groupFinals(ctx context.Context, c *store.Closing, board string, offset, limit int) (*finalRows, error) {
	key := cacheKey{closing: closedOf(c), generation: s.finalsGeneration.Load(), board: board, offset: offset, limit: limit}
	if f, ok := s.cachedFinals(key); ok {
		return f, nil
	}
	f := &finalRows{}
	var err error
	if offset >= 0 {
		_, f.rows, f.total, err = s.store.Finals(ctx, c, board, offset, limit, "")
	} else if f.total, err = s.store.CountFinals(ctx, c, board); err == nil {
		if f.tooMany = f.total > maxCachedFinals; !f.tooMany {
			_, f.rows, _, err = s.store.Finals(ctx, c, board, 0, f.total, "")
		}
	}
	if err != nil {
		return nil, err
	}
	if offset < 0 || len(f.rows) > 0 { // past the end, every offset would be cached
		s.cache.add(key, f)
	}
	return f, nil
}

// ownFinal returns the final of a caller whom others can't see on the board. It returns nil if
// the caller has none.
func (s *Service) ownFinal(ctx context.Context, c *store.Closing, q *Query) (*store.NamedFinal, error) {
	key := cacheKey{closing: closedOf(c), generation: s.finalsGeneration.Load(), board: q.Board, own: q.Caller}
	f, ok := s.cachedFinals(key)
	if !ok {
		me, _, _, err := s.store.Finals(ctx, c, q.Board, 0, 0, q.Caller)
		if err != nil {
			return nil, err
		}
		f = &finalRows{}
		if me != nil {
			f.rows = []store.NamedFinal{*me}
		}
		s.cache.add(key, f)
	}
	if len(f.rows) == 0 {
		return nil, nil //nolint:nilnil // the caller has no final, which is not an error
	}
	return &f.rows[0], nil
}

// cachedFinals returns what is cached under the key.
func (s *Service) cachedFinals(key cacheKey) (*finalRows, bool) {
	f, ok := s.cache.get(key).(*finalRows)
	return f, ok
}

// forgetFinals makes finals be read from the database again, because the users who can be seen on
// them have changed. The cached finals stay until they are the oldest, but nothing finds them.
func (s *Service) forgetFinals() { s.finalsGeneration.Add(1) }

// closedKey identifies a closed period. Its number alone is not enough: after the period is
// removed, another one may get the number.
type closedKey struct {
	number, start int64
	period        store.Period
}

func closedOf(c *store.Closing) closedKey { return closedKey{c.Number, c.Start.UnixMilli(), c.Period} }
