package auth_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"marcador/auth"
	"marcador/auth/authtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// logLines is a log whose lines a test can wait for.
type logLines struct{ c chan string }

func newLog() logLines { return logLines{make(chan string, 1000)} }

func (l logLines) Enabled(context.Context, slog.Level) bool { return true }
func (l logLines) WithAttrs([]slog.Attr) slog.Handler       { return l }
func (l logLines) WithGroup(string) slog.Handler            { return l }
func (l logLines) Handle(_ context.Context, r slog.Record) error {
	text := r.Message
	r.Attrs(func(a slog.Attr) bool { text += " " + a.String(); return true })
	l.c <- text
	return nil
}

func (l logLines) next(t *testing.T) string {
	t.Helper()
	select {
	case text := <-l.c:
		return text
	case <-time.After(time.Minute):
		t.Fatal("nothing is logged")
		return ""
	}
}

// newRemote returns a verifier whose Run runs until the end of the test.
func newRemote(t *testing.T, opts auth.Options) *auth.Verifier {
	t.Helper()
	v, err := auth.NewVerifier(opts)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { v.Run(ctx) })
	t.Cleanup(func() { cancel(); wg.Wait() })
	return v
}

// server is a transport that answers like a server of a JWKS. It is safe for concurrent use.
type server struct {
	mu     sync.Mutex
	body   []byte        // guarded by mu; nil makes each request an error
	header http.Header   // guarded by mu
	delay  time.Duration // guarded by mu
	asked  []time.Time   // guarded by mu
}

func (s *server) set(body []byte, cacheControl string, delay time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.body, s.delay, s.header = body, delay, http.Header{"Cache-Control": {cacheControl}}
}

// times returns when the server was asked since the last call of times, in seconds after begin.
func (s *server) times(begin time.Time) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for _, at := range s.asked {
		out = append(out, fmt.Sprint(int(at.Sub(begin).Seconds())))
	}
	s.asked = nil
	return strings.Join(out, " ")
}

func (s *server) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	s.asked = append(s.asked, time.Now())
	body, header, delay := s.body, s.header, s.delay
	s.mu.Unlock()
	select {
	case <-time.After(delay):
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	if body == nil {
		return nil, errors.New("it is down")
	}
	return &http.Response{StatusCode: http.StatusOK, Header: header, Body: io.NopCloser(strings.NewReader(string(body))), Request: r}, nil
}

const address = "https://login.example.org/keys"

func setUp(t *testing.T, s *server) (*auth.Verifier, time.Time) {
	t.Helper()
	return newRemote(t, auth.Options{JWKS: address, Transport: s, Log: slog.New(slog.DiscardHandler)}), time.Now()
}

// A verifier whose keys can't be fetched says so, and uses them as soon as they have come.
func TestVerifier_Run_start(t *testing.T) {
	good := authtest.Good()
	synctest.Test(t, func(t *testing.T) {
		var s server
		v, begin := setUp(t, &s)
		token := good.Token(t, "RS256", authtest.Claims(nil), nil)
		time.Sleep(200 * time.Second)
		if got := s.times(begin); got != "0 1 3 7 15 31 63 123 183" {
			t.Errorf("fetched at %s", got)
		}
		if err := v.Ready(); !errors.Is(err, auth.ErrUnavailable) {
			t.Errorf("Ready() = %v", err)
		}
		for name, header := range map[string]map[string]any{"with a kid": nil, "without": {"kid": nil}} {
			_, err := v.Verify(t.Context(), good.Token(t, "RS256", authtest.Claims(nil), header))
			if !errors.Is(err, auth.ErrUnavailable) || errors.Is(err, auth.ErrInvalidToken) {
				t.Errorf("%s: %v", name, err)
			}
		}
		// A token that no key could verify is refused all the same.
		if _, err := v.Verify(t.Context(), good.Token(t, "HS256", authtest.Claims(nil), nil)); !errors.Is(err, auth.ErrInvalidToken) {
			t.Errorf("HS256: %v", err)
		}
		s.set(authtest.Set(good.JWK("RS256", nil)), "", 0)
		time.Sleep(time.Minute)
		if _, err := v.Verify(t.Context(), token); err != nil || v.Ready() != nil {
			t.Errorf("when they have come: %v, %v", err, v.Ready())
		}
	})
}

// A key that has left the set is refused from the next fetch on. A fetch that fails removes no key.
func TestVerifier_Run_rotation(t *testing.T) {
	good := authtest.Good()
	synctest.Test(t, func(t *testing.T) {
		var s server
		s.set(authtest.Set(good.JWK("RS256", nil), good.JWK("ES256", nil)), "max-age=600", 0)
		v, begin := setUp(t, &s)
		accepts := func(when string, want ...string) {
			t.Helper()
			synctest.Wait()
			for _, alg := range []string{"RS256", "ES256", "EdDSA"} {
				_, err := v.Verify(t.Context(), good.Token(t, alg, authtest.Claims(nil), nil))
				if wanted := strings.Contains(strings.Join(want, " "), alg); (err == nil) != wanted || err != nil && !errors.Is(err, auth.ErrInvalidToken) {
					t.Errorf("%s: %s: %v", when, alg, err)
				}
			}
		}
		accepts("at first", "RS256", "ES256")
		s.set(nil, "", 0)
		time.Sleep(time.Hour)
		for _, alg := range []string{"RS256", "ES256"} {
			if _, err := v.Verify(t.Context(), good.Token(t, alg, authtest.Claims(nil), nil)); err != nil || v.Ready() != nil {
				t.Errorf("while it is down: %s: %v, %v", alg, err, v.Ready())
			}
		}
		// The server may have that key by now, so the token is not said to be invalid.
		if _, err := v.Verify(t.Context(), good.Token(t, "EdDSA", authtest.Claims(nil), nil)); !errors.Is(err, auth.ErrUnavailable) {
			t.Errorf("while it is down: EdDSA: %v", err)
		}
		s.set(authtest.Set(good.JWK("ES256", nil)), "max-age=600", 0)
		time.Sleep(time.Minute)
		accepts("after one is withdrawn", "ES256")
		s.times(begin)
		begin = time.Now()
		time.Sleep(1700 * time.Second)
		if got := strings.Count(s.times(begin), " "); got < 1 || got > 2 {
			t.Errorf("fetched %d times in 1,700 s, want one in 600 s", got+1)
		}
		// Another key with the same id is another key.
		s.set(authtest.Set(authtest.Evil().JWK("ES256", nil)), "max-age=600", 0)
		time.Sleep(11 * time.Minute)
		accepts("after one is replaced")
		s.set(authtest.Set(), "max-age=600", 0)
		time.Sleep(11 * time.Minute)
		if _, err := v.Verify(t.Context(), authtest.Evil().Token(t, "ES256", authtest.Claims(nil), nil)); !errors.Is(err, auth.ErrInvalidToken) {
			t.Errorf("after all are withdrawn: %v", err)
		}
	})
}

// A token with an unknown key causes a fetch and waits for it. A token with a known key does not
// wait.
func TestVerifier_Verify_unknownKey(t *testing.T) {
	good := authtest.Good()
	synctest.Test(t, func(t *testing.T) {
		var s server
		s.set(authtest.Set(good.JWK("RS256", nil)), "", 0)
		v, begin := setUp(t, &s)
		time.Sleep(time.Minute)
		s.times(begin)

		s.set(authtest.Set(good.JWK("RS256", nil), good.JWK("ES256", nil)), "", 3*time.Second)
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				if _, err := v.Verify(t.Context(), good.Token(t, "ES256", authtest.Claims(nil), nil)); err != nil {
					t.Errorf("with a new key: %v", err)
				}
			})
		}
		synctest.Wait()
		before := time.Now()
		if _, err := v.Verify(t.Context(), good.Token(t, "RS256", authtest.Claims(nil), nil)); err != nil || time.Since(before) > 0 {
			t.Errorf("with a known key: %v after %v", err, time.Since(before))
		}
		// A forged token that names the known key does not wait either.
		if _, err := v.Verify(t.Context(), authtest.Evil().Token(t, "RS256", authtest.Claims(nil), nil)); !errors.Is(err, auth.ErrInvalidToken) || time.Since(before) > 0 {
			t.Errorf("forged, with a known key: %v after %v", err, time.Since(before))
		}
		wg.Wait()
		if got := s.times(begin); got != "60" {
			t.Errorf("fetched at %s, want once", got)
		}
	})
}

// Forged tokens with unknown keys cause one fetch in thirty seconds, and none if their algorithm
// needs no public key.
func TestVerifier_Verify_unknownKeysOfForgers(t *testing.T) {
	good := authtest.Good()
	synctest.Test(t, func(t *testing.T) {
		var s server
		s.set(authtest.Set(good.JWK("RS256", nil), good.JWK("ES256", nil)), "", 3*time.Second)
		v, begin := setUp(t, &s)
		time.Sleep(time.Minute)
		s.times(begin)
		for i := range 100 {
			kid := map[string]any{"kid": fmt.Sprint("forged ", i)}
			if _, err := v.Verify(t.Context(), authtest.Evil().Token(t, "ES256", authtest.Claims(nil), kid)); !errors.Is(err, auth.ErrInvalidToken) {
				t.Errorf("forged: %v", err)
			}
			time.Sleep(time.Second)
		}
		if got := s.times(begin); strings.Count(got, " ") > 3 {
			t.Errorf("fetched at %s", got)
		}
		time.Sleep(time.Minute)
		s.times(begin)
		for _, token := range []string{
			good.Token(t, "HS256", authtest.Claims(nil), map[string]any{"kid": "x"}),
			good.Raw(t, "ES256", `{"alg":"none","kid":"x"}`, `{"sub":"u1"}`),
			good.Raw(t, "ES256", `{"alg":"RS512","kid":"x"}`, `{"sub":"u1"}`),
		} {
			if _, err := v.Verify(t.Context(), token); !errors.Is(err, auth.ErrInvalidToken) {
				t.Errorf("%v", err)
			}
		}
		if got := s.times(begin); got != "" {
			t.Errorf("fetched at %s", got)
		}
	})
}

// At most 256 requests wait for a fetch, and no longer than 5 s.
func TestVerifier_Verify_waiting(t *testing.T) {
	good := authtest.Good()
	synctest.Test(t, func(t *testing.T) {
		var s server
		s.set(authtest.Set(good.JWK("RS256", nil)), "", 0)
		v, _ := setUp(t, &s)
		time.Sleep(time.Minute)
		s.set(authtest.Set(good.JWK("RS256", nil), good.JWK("ES256", nil)), "", time.Hour)
		token := good.Token(t, "ES256", authtest.Claims(nil), nil)
		begin := time.Now()
		var waited, refused atomic.Int32
		var wg sync.WaitGroup
		verify := func(ctx context.Context, want time.Duration) {
			_, err := v.Verify(ctx, token)
			switch took := time.Since(begin); {
			case !errors.Is(err, auth.ErrUnavailable):
				t.Errorf("after %v: %v", took, err)
			case took == 0:
				refused.Add(1)
			case took == want:
				waited.Add(1)
			default:
				t.Errorf("it took %v", took)
			}
		}
		impatient, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		wg.Go(func() { verify(impatient, time.Second) })
		synctest.Wait()
		for range 299 {
			wg.Go(func() { verify(t.Context(), 5*time.Second) })
		}
		wg.Wait()
		if waited.Load() != 256 || refused.Load() != 44 {
			t.Errorf("%d waited and %d were refused", waited.Load(), refused.Load())
		}
		// The fetch itself times out, and the next one brings the key.
		s.set(authtest.Set(good.JWK("ES256", nil)), "", 0)
		time.Sleep(10 * time.Second)
		if _, err := v.Verify(t.Context(), token); err != nil {
			t.Error(err)
		}
	})
}
