package stream_test

import (
	"net/http"
	"sync"
	"testing"

	"marcador/test/testkit"
)

// record is what the service's pages said, by version. Safe for concurrent use.
type record struct {
	mu     sync.Mutex
	more   *sync.Cond               // signals a page
	pages  map[int][]map[string]any // guarded by mu: whole boards
	joined int                      // guarded by mu: the last version with which somebody came or was erased
}

func newRecord() *record {
	r := &record{pages: map[int][]map[string]any{}}
	r.more = sync.NewCond(&r.mu)
	return r
}

// at waits for the board at a version.
func (r *record) at(version int) []map[string]any {
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.pages[version] == nil {
		r.more.Wait()
	}
	return r.pages[version]
}

// read reads the board and returns its version.
func (r *record) read(t *testing.T, p *testkit.Program, token string) int {
	t.Helper()
	var page struct {
		Entries []map[string]any
		Version int
	}
	p.Call(token, http.MethodGet, "/v1/leaderboards/global?limit=1000", "", &page)
	r.mu.Lock()
	defer r.mu.Unlock()
	if was := r.pages[page.Version]; was != nil && len(was) != len(page.Entries) {
		t.Errorf("version %d stands for two states, with %d entries and %d", page.Version, len(was), len(page.Entries))
	}
	r.pages[page.Version] = page.Entries
	r.more.Broadcast()
	return page.Version
}

// joins records the version with which somebody comes or is erased, and returns the one before.
func (r *record) joins(version int) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	before := r.joined
	r.joined = version
	return before
}

// joinedAfter reports whether somebody came or was erased after a version.
func (r *record) joinedAfter(version int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.joined > version
}

// rankIn returns the user's rank on a board, 0 if there is none.
func rankIn(board []map[string]any, user string) int {
	for i, e := range board {
		if e["userId"] == user {
			return i + 1
		}
	}
	return 0
}
