package stream_test

import (
	"strings"
	"testing"

	"marcador/test/testkit"
)

// A client that comes back after a restart, or with an id that never was, gets whole pages.
func TestStream_reconnect(t *testing.T) {
	t.Parallel()
	db := testkit.Database(t)
	p := testkit.ServeOn(t, testkit.AnyPort, db)
	p.Enrol(1)
	service := testkit.Token(t, "svc", "xp:write")
	heard := p.Follow(service, "board=global", "")
	testkit.Next(t, heard, "authenticated")
	id := testkit.Next(t, heard, "leaderboard:updated").ID
	p.Stop()
	testkit.Next(t, heard, "goodbye")

	p = testkit.ServeOn(t, testkit.AnyPort, db)
	p.Give("u1", 9)
	heard = p.Follow(service, "board=global", id)
	if m := testkit.Next(t, heard, "authenticated"); !strings.Contains(m.Data, `"recovered":false`) {
		t.Errorf("authenticated = %s", m.Data)
	}
	m := testkit.Next(t, heard, "leaderboard:updated")
	if u := testkit.UpdateOf(t, m); u.Leaderboard[0]["score"] != 9.0 {
		t.Errorf("state after reconnecting = %s", m.Data)
	}
	// The epoch belongs to the database, so it outlives the process.
	if epoch, _, _ := strings.Cut(id, "-"); !strings.HasPrefix(m.ID, epoch+"-") || m.ID == id {
		t.Errorf("id %s after %s", m.ID, id)
	}
	for _, nonsense := range []string{"nonsense", "a-b-c", "-", strings.Repeat("9", 100)} {
		heard := p.Follow(service, "board=global", nonsense)
		testkit.Next(t, heard, "authenticated")
		testkit.Next(t, heard, "leaderboard:updated")
	}
}
