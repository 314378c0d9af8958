package live

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"marcador/store"
)

// maxProfiles bounds the profiles that are kept, and maxProfileBytes what they take; past it the
// one that was not shown for longest is read again when it is.
const (
	maxProfiles     = 10_000
	maxProfileBytes = 8 << 20
)

// profiles are those lately shown. Safe for concurrent use.
type profiles struct {
	mu      sync.Mutex
	cache   *simplelru.LRU[uint32, store.Shown] // guarded by mu
	bytes   int                                 // guarded by mu: bytes of its texts
	changes atomic.Int64                        // how often something was forgotten; moves with mu held
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

func textsOf(s store.Shown) int { return len(s.Username) + len(s.Avatar) }

// of returns the profiles with these numbers, reading those that are not kept.
// One that is gone is missing.
func (p *profiles) of(ctx context.Context, st *store.Store, numbers []uint32) (map[uint32]store.Shown, error) {
	found, _, _, err := p.asOf(ctx, st, numbers)
	return found, err
}

// asOf is of, and says which moment the profiles are of: what changes was, and Store.Seen in
// those that were read, 0 where all are kept.
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
		// What changed while it was read may be newer than what was read.
		if changes == p.changes.Load() {
			p.add(shown)
		}
	}
	return found, changes, seen, nil
}

// add is called with mu held.
func (p *profiles) add(shown store.Shown) {
	p.cache.Remove(shown.Number) // somebody else may have read it as well
	p.cache.Add(shown.Number, shown)
	for p.bytes += textsOf(shown); p.bytes > maxProfileBytes; {
		p.cache.RemoveOldest()
	}
}

func (p *profiles) forget(number uint32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.changes.Add(1)
	p.cache.Remove(number)
}

func (p *profiles) forgetAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.changes.Add(1)
	p.cache.Purge()
}
