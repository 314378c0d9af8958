package live

import (
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"marcador/store"
)

// maxKept bounds, in bytes, what is kept to be shown again: pages of all boards, and places of
// closed periods. Past it what was not asked for for longest is made again when it is.
const maxKept = 32 << 20

// kept is what is kept to be used again, bounded by bytes. Safe for concurrent use.
type kept struct {
	most int

	mu    sync.Mutex
	held  int                                 // guarded by mu
	lru   *simplelru.LRU[shownKey, keptValue] // guarded by mu
	pages map[*ranking]map[pageKey]struct{}   // guarded by mu: which of them are pages; none is empty
}

func newKept(most int) *kept {
	k := &kept{most: most, pages: map[*ranking]map[pageKey]struct{}{}}
	var err error
	if k.lru, err = simplelru.NewLRU(1<<30, k.removed); err != nil {
		panic(err) // the size is positive
	}
	return k
}

// removed is called by the LRU, with mu held.
func (k *kept) removed(key shownKey, v keptValue) {
	k.held -= v.cost()
	if key.ranking == nil {
		return
	}
	of := k.pages[key.ranking]
	if delete(of, key.page); len(of) == 0 {
		delete(k.pages, key.ranking)
	}
}

// get returns nil for what is not kept.
func (k *kept) get(key shownKey) keptValue {
	k.mu.Lock()
	defer k.mu.Unlock()
	v, _ := k.lru.Get(key)
	return v
}

// add keeps a value, unless it would take half of the room.
func (k *kept) add(key shownKey, v keptValue) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if v.cost() > k.most/2 {
		return
	}
	k.lru.Remove(key) // so that its size is given back
	k.lru.Add(key, v)
	if key.ranking != nil {
		if k.pages[key.ranking] == nil {
			k.pages[key.ranking] = map[pageKey]struct{}{}
		}
		k.pages[key.ranking][key.page] = struct{}{}
	}
	for k.held += v.cost(); k.held > k.most; {
		k.lru.RemoveOldest()
	}
}

// drop lets go of a ranking's pages. It looks at no others: boards are let go of often, while all
// reads wait.
func (k *kept) drop(r *ranking) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for page := range k.pages[r] {
		k.lru.Remove(shownKey{ranking: r, page: page})
	}
}

// bytes is how many are held.
func (k *kept) bytes() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.held
}

// shownKey is what of a board is kept: a page of a ranking, or places of a closed period.
type shownKey struct {
	ranking *ranking // nil for a closed period
	page    pageKey

	closing       closedKey
	seen          int64 // of a closed period: what Service.forgotten was before the places were read
	board         string
	offset, limit int    // -1, 0 for all places
	own           string // a user's own place
}

// keptValue is a *page or a *places.
type keptValue interface{ cost() int }

// cost is about how many bytes the page takes. Rows that it shares with another count for both.
func (p *page) cost() int {
	const entry = 80
	return p.size + len(p.rows)*entry + maxTail
}

// places are some of a board's in a closed period.
type places struct {
	list  []store.NamedFinal
	total int
	large bool // there are too many to keep them all: list is empty
}

func (p *places) cost() int {
	const place = 160
	n := maxTail / 4
	for i := range p.list {
		n += place + len(p.list[i].ID)
	}
	return n
}
