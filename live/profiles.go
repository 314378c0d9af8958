package live

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"marcador/store"
)

// maxProfiles bounds the number of cached profiles, and maxProfileBytes their size. Above either,
// the least recently used one is dropped.
const (
	maxProfiles     = 10_000
	maxProfileBytes = 8 << 20
)

// profiles caches the names and avatars that were shown lately. Safe for concurrent use.
type profiles struct {
	mu      sync.Mutex
	cache   *simplelru.LRU[uint32, store.Shown] // guarded by mu: by user number
	bytes   int                                 // guarded by mu: of the cached texts
	changes atomic.Int64                        // counts forget and forgetAll; rises with mu held
}

func newProfiles() *profiles {
	p := &profiles{}
	var err error
	p.cache, err = simplelru.NewLRU(maxProfiles, func(_ uint32, gone store.Shown) { p.bytes -= textsOf(gone) })
	if err != nil {
		panic(err) // the size is positive
	}
	return p
}

// textsOf returns the size of a profile's texts in bytes.
func textsOf(s store.Shown) int { return len(s.Username) + len(s.Avatar) }

// of returns the profiles of the users with these numbers. Erased users are missing.
func (p *profiles) of(ctx context.Context, st *store.Store, numbers []uint32) (map[uint32]store.Shown, error) {
	found, _, _, err := p.asOf(ctx, st, numbers)
	return found, err
}

// asOf is like of, and also says how new the profiles are. changes is the value of p.changes
// when the cache was read. seen is the seq of Store.Seen when the database was read, or 0 if all
// profiles were cached.
func (p *profiles) asOf(ctx context.Context, st *store.Store, numbers []uint32) (found map[uint32]store.Shown, changes, seen int64, err error) {
	found = make(map[uint32]store.Shown, len(numbers))
	var missing []uint32
	p.mu.Lock()
	changes = p.changes.Load()
	for _, n := range numbers {
		if shown, ok := p.cache.Get(n); ok {
			found[n] = shown
		} else {
			missing = append(missing, n)
		}
	}
	p.mu.Unlock()
	if len(missing) == 0 {
		return found, changes, 0, nil
	}
	read, seen, err := st.Shown(ctx, missing)
	if err != nil {
		return nil, 0, 0, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, shown := range read {
		found[shown.Number] = shown
		if changes == p.changes.Load() { // otherwise the profile that was read may be out of date
			p.add(shown)
		}
	}
	return found, changes, seen, nil
}

// add caches a profile. mu must be held.
func (p *profiles) add(shown store.Shown) {
	p.cache.Remove(shown.Number) // another goroutine may have added it meanwhile
	p.cache.Add(shown.Number, shown)
	for p.bytes += textsOf(shown); p.bytes > maxProfileBytes; {
		p.cache.RemoveOldest()
	}
}

// forget drops a profile that has changed.
func (p *profiles) forget(number uint32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.changes.Add(1)
	p.cache.Remove(number)
}

// forgetAll drops all profiles.
func (p *profiles) forgetAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.changes.Add(1)
	p.cache.Purge()
}
