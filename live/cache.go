package live

import (
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// maxCacheBytes bounds the cache of all boards' pages and of finals. Above it, the least recently
// used ones are dropped. They are made again when they are asked for.
const maxCacheBytes = 32 << 20

// cache holds pages and finals, up to a number of bytes. Safe for concurrent use.
type cache struct {
	limit int // bytes

	mu    sync.Mutex
	size  int                                  // guarded by mu: bytes
	lru   *simplelru.LRU[cacheKey, cacheValue] // guarded by mu
	pages map[*ranking]map[pageKey]struct{}    // guarded by mu: of each ranking that has any
}

func newCache(limit int) *cache {
	c := &cache{limit: limit, pages: map[*ranking]map[pageKey]struct{}{}}
	var err error
	if c.lru, err = simplelru.NewLRU(1<<30, c.removed); err != nil {
		panic(err) // the size is positive
	}
	return c
}

// removed is called by the LRU for each entry that leaves it. mu is held.
func (c *cache) removed(key cacheKey, v cacheValue) {
	c.size -= v.cost()
	if key.ranking == nil {
		return
	}
	pages := c.pages[key.ranking]
	if delete(pages, key.page); len(pages) == 0 {
		delete(c.pages, key.ranking)
	}
}

// get returns nil if nothing is cached under the key.
func (c *cache) get(key cacheKey) cacheValue {
	c.mu.Lock()
	defer c.mu.Unlock()
	v, _ := c.lru.Get(key)
	return v
}

// add caches a value, unless it is larger than half of the limit.
func (c *cache) add(key cacheKey, v cacheValue) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if v.cost() > c.limit/2 {
		return
	}
	c.lru.Remove(key) // Add does not call removed for a value that it replaces
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

// drop removes the pages of a ranking. Its cost does not depend on how much else is cached.
// Boards are dropped often, and all reads wait for it.
func (c *cache) drop(r *ranking) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for page := range c.pages[r] {
		c.lru.Remove(cacheKey{ranking: r, page: page})
	}
}

// bytes returns the estimated size of everything in the cache.
func (c *cache) bytes() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.size
}

// cacheKey identifies a page of a ranking, or finals of a closed period.
type cacheKey struct {
	// Of a page.
	ranking *ranking // nil for finals
	page    pageKey

	// Of finals.
	closing       closedKey
	generation    int64 // Service.finalsGeneration before they were read
	board         string
	offset, limit int    // -1 and 0 for all of a group
	own           string // the user's id, for the final of one user
}

// cacheValue is a *page or a *finalRows. cost estimates its size in bytes.
type cacheValue interface{ cost() int }

// cost estimates the size of the page in bytes. A row that two pages share counts for both.
func (p *page) cost() int {
	const entry = 80
	return p.size + len(p.rows)*entry + maxTail
}
