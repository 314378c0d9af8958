package stream_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"marcador/test/testkit"
)

// A stream needs a good token, unless the service is public.
func TestStream_tokens(t *testing.T) {
	t.Parallel()
	closed := testkit.Serve(t)
	good := testkit.Token(t, "u1", "")
	none := "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0." + strings.Split(good, ".")[1] + "."
	for name, token := range map[string]string{
		"missing": "", "expired": testkit.TokenFor(t, "u1", "", -time.Minute), "forged": good[:len(good)-4] + "AAAA", "alg none": none,
	} {
		if status, b := closed.Try(token, http.MethodGet, "/v1/events?board=global", ""); status != 401 {
			t.Errorf("%s: %d %s", name, status, b)
		}
	}
	public := testkit.Serve(t, "--public")
	heard := public.Follow("", "board=global", "")
	if m := testkit.Next(t, heard, "authenticated"); !strings.Contains(m.Data, `"userId":null,"email":null`) {
		t.Errorf("authenticated = %s", m.Data)
	}
	testkit.Next(t, heard, "leaderboard:updated")
}

// A quiet stream carries pings, and it ends when its token expires.
func TestStream_heartbeatAndExpiry(t *testing.T) {
	t.Parallel()
	p := testkit.Serve(t, "--heartbeat", "50ms")
	heard := p.Follow(testkit.TokenFor(t, "u1", "", 2*time.Second), "", "")
	testkit.Next(t, heard, "authenticated")
	testkit.Next(t, heard, "leaderboard:updated")
	if m := testkit.Next(t, heard, "ping"); m.Data != "{}" {
		t.Errorf("ping = %s", m.Data)
	}
	for m := range heard {
		if m.Event == "ping" {
			continue
		}
		if m.Event != "error" || !strings.Contains(m.Data, `"code":"token_expired"`) {
			t.Errorf("heard %+v, want token_expired", m)
		}
	}
}
