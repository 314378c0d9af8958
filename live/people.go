package live

import (
	"hash/maphash"
	"strings"
	"sync/atomic"
)

// people are the users: their numbers by id, and what is shown of them beside the
// profile. It is guarded by Service.mu; id may be called without.
type people struct {
	ids     atomic.Pointer[[]string] // by number; who is gone stays in it
	mlCoins []int64                  // by number
	hidden  map[uint32]struct{}      // whom nobody else sees on a board
	index   idIndex
}

func newPeople() *people {
	p := &people{hidden: map[uint32]struct{}{}}
	p.become([]string{}, nil, nil)
	return p
}

// become takes over other people: their ids by number, empty where there is nobody,
// their coins, and who of them is hidden.
func (p *people) become(ids []string, mlCoins []int64, hidden []uint32) {
	p.ids.Store(&ids)
	p.mlCoins = mlCoins
	clear(p.hidden)
	for _, number := range hidden {
		p.hidden[number] = struct{}{}
	}
	p.index.make(ids)
}

// know notes a user and reports whether it was not known before.
func (p *people) know(number uint32, id string) bool {
	ids := *p.ids.Load()
	if _, known := p.index.find(ids, id); known {
		return false
	}
	for len(ids) <= int(number) {
		ids = append(ids, "")
	}
	ids[number] = id // nobody asks for the id of a number that was not given
	p.ids.Store(&ids)
	for len(p.mlCoins) <= int(number) {
		p.mlCoins = append(p.mlCoins, 0)
	}
	p.index.add(ids, number)
	return true
}

// forget forgets a user. The id stays with the number, which this process does not
// give again.
func (p *people) forget(number uint32) {
	if ids := *p.ids.Load(); int(number) < len(ids) {
		p.index.remove(ids, number)
	}
	delete(p.hidden, number)
}

// number returns a user's number, and whether there is such a user.
func (p *people) number(id string) (number uint32, ok bool) { return p.index.find(*p.ids.Load(), id) }

// id returns the id of a user who is known, or was; of one whom another program has
// entered, and who is not loaded yet, an empty one. It may be called by anybody at any
// time.
func (p *people) id(number uint32) string {
	if ids := *p.ids.Load(); int(number) < len(ids) {
		return ids[number]
	}
	return ""
}

// tie puts the user whose id is lower first.
func (p *people) tie(a, b uint32) bool { return p.id(a) < p.id(b) }

func (p *people) isHidden(number uint32) bool {
	_, hidden := p.hidden[number]
	return hidden
}

// change returns what it does to a board that the user comes or goes.
func (p *people) effectOf(number uint32) effect {
	if p.isHidden(number) {
		return affectsUser
	}
	return affectsAll
}

// idIndex finds users' numbers by their ids, which it does not hold: a hash table with
// linear probing, of 8 to 16 bytes a user. A map of strings takes 50, and ten times as
// long to make.
type idIndex struct {
	seed  maphash.Seed
	slots []uint32 // numbers plus 1, 0 for none; a power of two, at most half full
	len   int
}

// make makes the index of all ids that are not empty.
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

// add adds a user, whose id must not be there.
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

func (x *idIndex) put(ids []string, number uint32) {
	i := x.home(ids[number])
	for x.slots[i] != 0 {
		i = x.next(i)
	}
	x.slots[i] = number + 1
	x.len++
}

func (x *idIndex) find(ids []string, id string) (number uint32, ok bool) {
	for i := x.home(id); x.slots[i] != 0; i = x.next(i) {
		if n := x.slots[i] - 1; ids[n] == id {
			return n, true
		}
	}
	return 0, false
}

// remove takes a user out, and moves up those that would not be found behind the gap
// (D. E. Knuth, The Art of Computer Programming, volume 3, algorithm 6.4R).
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

// home is where an id is looked for first.
func (x *idIndex) home(id string) int {
	return int(maphash.String(x.seed, id) & uint64(len(x.slots)-1))
}

func (x *idIndex) next(i int) int { return (i + 1) & (len(x.slots) - 1) }

// idRoom is how many bytes of ids are allocated at once.
const idRoom = 1 << 16

// idArena holds ids one behind the other: a million of them in an allocation each
// would take a third more, and the garbage collector longer.
type idArena struct{ b strings.Builder }

func (a *idArena) add(id string) string {
	if a.b.Cap()-a.b.Len() < len(id) {
		a.b = strings.Builder{}
		a.b.Grow(max(idRoom, len(id)))
	}
	before := a.b.Len()
	a.b.WriteString(id)
	return a.b.String()[before:]
}
