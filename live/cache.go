package live

import (
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"marcador/store"
)

// maxCacheBytes bounds, in bytes, what is kept to be shown again: pages of all boards, and places of
// closed periods. Past it what was not asked for for longest is made again when it is.
const maxCacheBytes = 32 << 20

// kept is what is kept to be used again, bounded by bytes. Safe for concurrent use.
type cache struct {
	limit int

	mu    sync.Mutex
	size  int                                  // guarded by mu
	lru   *simplelru.LRU[cacheKey, cacheValue] // guarded by mu
	pages map[*ranking]map[pageKey]struct{}    // guarded by mu: which of them are pages; none is empty
}

func newCache(limit int) *cache {
	c := &cache{limit: limit, pages: map[*ranking]map[pageKey]struct{}{}}
	var err error
	if c.lru, err = simplelru.NewLRU(1<<30, c.removed); err != nil {
		panic(err) // the size is positive
	}
	return c
}

// removed is called by the LRU, with mu held.
func (c *cache) removed(key cacheKey, v cacheValue) {
	c.size -= v.cost()
	if key.ranking == nil {
		return
	}
	of := c.pages[key.ranking]
	if delete(of, key.page); len(of) == 0 {
		delete(c.pages, key.ranking)
	}
}

// get returns nil for what is not kept.
func (c *cache) get(key cacheKey) cacheValue {
	c.mu.Lock()
	defer c.mu.Unlock()
	v, _ := c.lru.Get(key)
	return v
}

// add keeps a value, unless it would take half of the room.
func (c *cache) add(key cacheKey, v cacheValue) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if v.cost() > c.limit/2 {
		return
	}
	c.lru.Remove(key) // so that its size is given back
	c.lru.Add(key, v)
	if key.ranking != nil {
		if c.pages[key.ranking] == nil {
			c.pages[key.ranking] = map[pageKey]struct{}{}
		}
		c.pages[key.ranking][key.page] = struct{}{}
	}
	for c.size += v.cost(); c.size > c.limit; {
		c.lru.RemoveOldest()
	}
}

// drop lets go of a ranking's pages. It looks at no others: boards are let go of often, while all
// reads wait.
func (c *cache) drop(r *ranking) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for page := range c.pages[r] {
		c.lru.Remove(cacheKey{ranking: r, page: page})
	}
}

// bytes is how many are held.
func (c *cache) bytes() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.size
}

// cacheKey is what of a board is kept: a page of a ranking, or places of a closed period.
type cacheKey struct {
	ranking *ranking // nil for a closed period
	page    pageKey

	closing       closedKey
	generation    int64 // of a closed period: what Service.forgotten was before the places were read
	board         string
	offset, limit int    // -1, 0 for all places
	own           string // a user's own place
}

// cacheValue is a *page or a *finalRows.
type cacheValue interface{ cost() int }

// cost is about how many bytes the page takes. Rows that it shares with another count for both.
func (p *page) cost() int {
	const entry = 80
	return p.size + len(p.rows)*entry + maxTail
}

// finalRows are some of a board's in a closed period.
type finalRows struct {
	rows    []store.NamedFinal
	total   int
	tooMany bool // there are too many to keep them all: rows is empty
}

func (p *finalRows) cost() int {
	const place = 160
	n := maxTail / 4
	for i := range p.rows {
		n += place + len(p.rows[i].ID)
	}
	return n
}
