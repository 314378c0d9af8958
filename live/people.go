package live

import (
	"hash/maphash"
	"strings"
	"sync/atomic"
)

// people has all users: their ids, their coins, and who is hidden. Service.mu guards it. Only id
// and tie may be called without the lock.
type people struct {
	ids     atomic.Pointer[[]string] // by number; the ids of erased users stay in it
	mlCoins []int64                  // by number
	hidden  map[uint32]struct{}      // the users whom nobody else sees on a board
	index   idIndex
}

func newPeople() *people {
	p := &people{hidden: map[uint32]struct{}{}}
	p.replace([]string{}, nil, nil)
	return p
}

// replace replaces all users. ids and mlCoins are by number; a number without a user has an empty
// id. The slices belong to people afterwards.
func (p *people) replace(ids []string, mlCoins []int64, hidden []uint32) {
	p.ids.Store(&ids)
	p.mlCoins = mlCoins
	clear(p.hidden)
	for _, number := range hidden {
		p.hidden[number] = struct{}{}
	}
	p.index.make(ids)
}

// know adds the user, and reports whether the user is new.
func (p *people) know(number uint32, id string) bool {
	ids := *p.ids.Load()
	if _, known := p.index.find(ids, id); known {
		return false
	}
	for len(ids) <= int(number) {
		ids = append(ids, "")
	}
	ids[number] = id // no reader asks for a number before it is given to a user
	p.ids.Store(&ids)
	for len(p.mlCoins) <= int(number) {
		p.mlCoins = append(p.mlCoins, 0)
	}
	p.index.add(ids, number)
	return true
}

// forget removes a user. The number keeps its id, since readers without the lock may still ask
// for it, and the store gives the number to nobody else while this process runs.
func (p *people) forget(number uint32) {
	if ids := *p.ids.Load(); int(number) < len(ids) {
		p.index.remove(ids, number)
	}
	delete(p.hidden, number)
}

// number returns the number of the user with that id. ok is false if there is no such user.
func (p *people) number(id string) (number uint32, ok bool) { return p.index.find(*p.ids.Load(), id) }

// id returns the id of a user, who may be erased. It is empty for a user whom another program has
// added and who is not loaded yet. It needs no lock.
func (p *people) id(number uint32) string {
	if ids := *p.ids.Load(); int(number) < len(ids) {
		return ids[number]
	}
	return ""
}

// tie reports whether a comes before b when their scores are equal: the lower id does. It needs
// no lock.
func (p *people) tie(a, b uint32) bool { return p.id(a) < p.id(b) }

func (p *people) isHidden(number uint32) bool {
	_, hidden := p.hidden[number]
	return hidden
}

// effectOf returns the effect on a ranking of the user's joining or leaving.
func (p *people) effectOf(number uint32) effect {
	if p.isHidden(number) {
		return affectsUser
	}
	return affectsAll
}

// idIndex finds users' numbers by their ids. It is a hash table with linear probing, which stores
// numbers only; callers pass the ids. It takes 8 to 16 bytes a user. A map of strings would take
// 50 bytes, and ten times as long to make.
type idIndex struct {
	seed  maphash.Seed
	slots []uint32 // number plus 1, or 0 if empty; a power of two of them, at most half used
	len   int
}

// make replaces the index by one of all ids that are not empty.
func (x *idIndex) make(ids []string) {
	size := 16
	for size < 2*len(ids) {
		size *= 2
	}
	x.seed, x.slots, x.len = maphash.MakeSeed(), make([]uint32, size), 0
	for number, id := range ids {
		if id != "" {
			x.put(ids, uint32(number))
		}
	}
}

// add adds a user whose id is not in the index.
func (x *idIndex) add(ids []string, number uint32) {
	if 2*(x.len+1) > len(x.slots) {
		old := x.slots
		x.slots, x.len = make([]uint32, 2*len(old)), 0
		for _, n := range old {
			if n != 0 {
				x.put(ids, n-1)
			}
		}
	}
	x.put(ids, number)
}

// put adds a user to an index that has room.
func (x *idIndex) put(ids []string, number uint32) {
	i := x.home(ids[number])
	for x.slots[i] != 0 {
		i = x.next(i)
	}
	x.slots[i] = number + 1
	x.len++
}

// find returns the number of the user with that id.
func (x *idIndex) find(ids []string, id string) (number uint32, ok bool) {
	for i := x.home(id); x.slots[i] != 0; i = x.next(i) {
		if n := x.slots[i] - 1; ids[n] == id {
			return n, true
		}
	}
	return 0, false
}

// remove removes a user, and moves up the entries that would not be found after the gap. It is
// algorithm 6.4R of D. E. Knuth, The Art of Computer Programming, volume 3.
func (x *idIndex) remove(ids []string, number uint32) {
	gap := x.home(ids[number])
	for x.slots[gap] != number+1 {
		if x.slots[gap] == 0 {
			return
		}
		gap = x.next(gap)
	}
	for i := x.next(gap); x.slots[i] != 0; i = x.next(i) {
		home := x.home(ids[x.slots[i]-1])
		if (i-home)&(len(x.slots)-1) >= (i-gap)&(len(x.slots)-1) {
			x.slots[gap] = x.slots[i]
			gap = i
		}
	}
	x.slots[gap] = 0
	x.len--
}

// home returns the slot where the search for an id begins.
func (x *idIndex) home(id string) int {
	return int(maphash.String(x.seed, id) & uint64(len(x.slots)-1))
}

func (x *idIndex) next(i int) int { return (i + 1) & (len(x.slots) - 1) }

// arenaBlock is how many bytes of ids are allocated at once.
const arenaBlock = 1 << 16

// idArena stores ids next to each other. A million ids, each with an allocation of its own, would
// take a third more memory, and the garbage collector would take longer.
type idArena struct{ b strings.Builder }

// add returns a copy of the id in the arena.

func (a *idArena) add(id string) string {
	if a.b.Cap()-a.b.Len() < len(id) {
		a.b = strings.Builder{}
		a.b.Grow(max(arenaBlock, len(id)))
	}
	before := a.b.Len()
	a.b.WriteString(id)
	return a.b.String()[before:]
}
