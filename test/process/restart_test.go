package process_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"testing"

	"marcador/test/testkit"
)

// After a restart the board is the same to the byte.
func TestProcess_restart(t *testing.T) {
	db := testkit.Database(t)
	admin := testkit.Token(t, "svc", "admin")
	p := testkit.ServeOn(t, testkit.AnyPort, db)
	p.Enrol(20)
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			for range 10 {
				if status, b := p.Try(admin, http.MethodPost, fmt.Sprintf("/v1/users/u%d/xp", i+1), fmt.Sprintf(`{"xp":%d}`, i+1)); status != 200 {
					t.Errorf("%d %s", status, b)
				}
			}
		})
	}
	wg.Wait()
	var before, after json.RawMessage
	p.Call(admin, http.MethodGet, "/v1/leaderboards/global", "", &before)
	p.Stop()
	if !p.Log.Has("msg=stopped") {
		t.Errorf("log = %s", p.Log)
	}
	p = testkit.ServeOn(t, testkit.AnyPort, db)
	p.Call(admin, http.MethodGet, "/v1/leaderboards/global", "", &after)
	if !bytes.Equal(before, after) {
		t.Errorf("after a restart %s, before %s", after, before)
	}
	if !bytes.Contains(after, []byte(`"score":200,`)) {
		t.Errorf("board = %s", after)
	}
}
