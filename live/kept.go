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
type kept[K comparable, V any] struct {
	most int
	size func(V) int

	mu   sync.Mutex
	held int                  // guarded by mu
	lru  *simplelru.LRU[K, V] // guarded by mu
	gone int64                // guarded by mu: how often something was removed because it is not so any more
}

func newKept[K comparable, V any](most int, size func(V) int) *kept[K, V] {
	k := &kept[K, V]{most: most, size: size}
	evicted := func(_ K, v V) { k.held -= size(v) }
	var err error
	if k.lru, err = simplelru.NewLRU(1<<30, evicted); err != nil {
		panic(err) // the size is positive
	}
	return k
}

func (k *kept[K, V]) get(key K) (V, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.lru.Get(key)
}

// now is what add takes, of before the value was read.
func (k *kept[K, V]) now() int64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.gone
}

// add keeps a value. One that was read before something was removed may be out of date, and is
// not kept; nor is one that would take half of the room.
func (k *kept[K, V]) add(key K, v V, read int64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.gone != read || k.size(v) > k.most/2 {
		return
	}
	k.lru.Remove(key) // so that its size is given back
	k.lru.Add(key, v)
	for k.held += k.size(v); k.held > k.most; {
		k.lru.RemoveOldest()
	}
}

// remove removes what is no longer so.
func (k *kept[K, V]) remove(which func(K) bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.gone++
	for _, key := range k.lru.Keys() {
		if which(key) {
			k.lru.Remove(key)
		}
	}
}

// drop lets go of what is not needed any more.
func (k *kept[K, V]) drop(which func(K) bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, key := range k.lru.Keys() {
		if which(key) {
			k.lru.Remove(key)
		}
	}
}

// bytes is how many are held.
func (k *kept[K, V]) bytes() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.held
}

// shownKey is what of a board is kept: a page of a ranking, or places of a closed period.
type shownKey struct {
	ranking *ranking // nil for a closed period
	page    pageKey

	closing       closedKey
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

func newShown() *kept[shownKey, keptValue] {
	return newKept[shownKey](maxKept, func(v keptValue) int { return v.cost() })
}
