package process_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"marcador/test/testkit"
	"marcador/test/testkit/witness"
)

var kills = flag.Int("kills", 200, "how often TestProcess_killed kills the service")

// A process that is killed, at any instant of its life or its start, has lost nothing that it had
// acknowledged. What it had not acknowledged counts once when it is repeated. Two services with a
// database each are killed side by side, since both often wait for the disk.
func TestProcess_killed(t *testing.T) {
	for i := range 2 {
		t.Run(fmt.Sprint("database ", i+1), func(t *testing.T) {
			t.Parallel()
			killAgainAndAgain(t, (*kills+i)/2)
		})
	}
}

// killAgainAndAgain kills a service so many times under load, and compares its database with what
// it acknowledged after each time.
func killAgainAndAgain(t *testing.T, times int) {
	t.Helper()
	db := testkit.Database(t)
	w := witness.New(t, 8)
	p := testkit.Spawn(t, db)
	p.Enrol(witness.Users)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	chance := rand.New(rand.NewPCG(seed, 0))
	for range times {
		killUnderLoad(t, p, w, chance)
		for chance.IntN(8) == 0 { // while it starts, too
			start := testkit.ServiceCommand([]string{testkit.Binary(t)}, db)
			testkit.KillAfter(t, start, upTo(chance, 60*time.Millisecond))
		}
		p = testkit.Spawn(t, db)
		w.CheckNew(db)
	}
	w.Repeat(p.URL)
	w.Check(db)
	for user, xp := range w.Totals() {
		var got struct{ XP int }
		p.Call(w.Token, http.MethodGet, "/v1/users/"+user, "", &got)
		if got.XP != xp {
			t.Errorf("%s has %d, want %d", user, got.XP, xp)
		}
	}
	if w.Acknowledged.Load() < int64(times) {
		t.Errorf("only %d requests were acknowledged in %d lives", w.Acknowledged.Load(), times)
	}
	t.Logf("%d lives, %d requests acknowledged", times, w.Acknowledged.Load())
	p.Terminate()
}

// killUnderLoad has the witness write, and kills the service after up to 40 acknowledgements.
func killUnderLoad(t *testing.T, p *testkit.Process, w *witness.Witness, chance *rand.Rand) {
	t.Helper()
	writing, stop := context.WithCancel(t.Context())
	defer stop()
	var loading sync.WaitGroup
	var over atomic.Bool // all writers have given up
	loading.Go(func() {
		defer over.Store(true)
		w.Load(writing, p.URL)
	})
	for goal := w.Acknowledged.Load() + chance.Int64N(40); w.Acknowledged.Load() < goal; {
		if over.Load() {
			t.Fatalf("it takes no writes:\n%s", p.Log)
		}
		time.Sleep(100 * time.Microsecond) // a process at work
	}
	time.Sleep(upTo(chance, 2*time.Millisecond)) // at any instant
	p.Kill()
	loading.Wait()
}

// upTo returns a random while below most.
func upTo(chance *rand.Rand, most time.Duration) time.Duration {
	return time.Duration(chance.Int64N(int64(most)))
}
