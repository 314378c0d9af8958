package command_test

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"marcador/test/testkit"
	"marcador/test/testkit/certs"
)

// What keeps a command from starting is said in one line, which names the flag or the file.
func TestRun_startErrors(t *testing.T) {
	folder := t.TempDir()
	taken := listen(t)
	letter := filepath.Join(folder, "letter.db")
	testkit.Write(t, letter, []byte(strings.Repeat("Dear Sir or Madam. ", 100)))
	good := []string{"serve", "--addr", testkit.AnyPort, "--db", filepath.Join(folder, "m.db")}
	for name, c := range map[string]struct {
		secret string
		args   []string
		want   string
	}{
		"no key":            {"", good, "MARCADOR_JWT_SECRET, or --jwt-secret"},
		"no key says which": {"", good, "--jwt-public-key"},
		"JWKS over http":    {"", append(good, "--jwks-url", "http://login.example.org/keys"), "--jwks-url: it must begin with https://"},
		"JWKS no address":   {"", append(good, "--jwks-url", "keys"), "--jwks-url: it is not an address"},
		"key file missing":  {"", append(good, "--jwt-public-key", filepath.Join(folder, "no.pem")), "--jwt-public-key"},
		"key file a letter": {"", append(good, "--jwt-public-key", letter), "letter.db\": there is no PEM block"},
		"key file a folder": {secret, append(good, "--jwt-public-key", folder), "--jwt-public-key"},
		"key too short":     {secret[:31], good, "--jwt-secret has 31 bytes; it needs 32"},
		"port taken":        {secret, append(good, "--addr", taken), "taken by another program"},
		"address":           {secret, append(good, "--addr", "nonsense"), "--addr"},
		"proxy":             {secret, append(good, "--trust-proxy", "proxy.lan"), `--trust-proxy: "proxy.lan" is no address; give one such as 10.0.0.7`},
		"folder missing":    {secret, append(good, "--db", filepath.Join(folder, "no", "m.db")), "does not exist"},
		"not a database":    {secret, append(good, "--db", letter), "not an SQLite database"},
		"throttle below 0":  {secret, append(good, "--throttle", "-1s"), "--throttle"},
		"throttle":          {secret, append(good, "--throttle", "often"), "--throttle"},
		"top 0":             {secret, append(good, "--top", "0"), "--top"},
		"cache-ttl 1ns":     {secret, append(good, "--cache-ttl", "1ns"), "--cache-ttl"},
		"heartbeat 1m":      {secret, append(good, "--heartbeat", "1m"), "--heartbeat"},
		"heartbeat 0":       {secret, append(good, "--heartbeat", "0s"), "--heartbeat"},
		"max-streams 0":     {secret, append(good, "--max-streams", "0"), "--max-streams"},
		"streams per user":  {secret, append(good, "--max-streams-per-user", "-1"), "--max-streams-per-user"},
		"write-rate":        {secret, append(good, "--write-rate", "-1"), "--write-rate"},
		"timezone":          {secret, append(good, "--timezone", "Mars/Olympus"), "--timezone"},
		"recompute":         {secret, append(good, "--recompute", "now and then"), "--recompute"},
		"log level":         {secret, append(good, "--log-level", "loud"), "--log-level"},
		"unknown flag":      {secret, append(good, "--colour", "red"), "--colour"},
		"unknown command":   {secret, []string{"sing"}, "sing"},
		"no command":        {secret, nil, "expected one of"},
		"token without sub": {secret, []string{"token"}, "--sub"},
		"unknown scope":     {secret, []string{"token", "--sub", "x", "--scope", "root"}, "there is no scope"},
		"too few students":  {secret, []string{"demo", "--students", "0"}, "--students"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("MARCADOR_JWT_SECRET", c.secret)
			testkit.Refuses(t, c.want, c.args...)
		})
	}
}

const secret = testkit.Secret

// listen takes a port until the test is over, and returns its address.
func listen(t *testing.T) string {
	t.Helper()
	taken, err := net.Listen("tcp", testkit.AnyPort)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := taken.Close(); err != nil {
			t.Error(err)
		}
	})
	return taken.Addr().String()
}

// --help and --version say something, and help names flags with their variables and defaults.
func TestRun_help(t *testing.T) {
	for _, args := range [][]string{{"--help"}, {"serve", "--help"}, {"demo", "--help"}, {"token", "--help"}, {"--version"}} {
		var out bytes.Buffer
		if err := testkit.RunTo(t, &out, io.Discard, args...); err != nil {
			t.Errorf("%v: %v", args, err)
		}
		if out.Len() == 0 {
			t.Errorf("%v says nothing", args)
		}
	}
	var out bytes.Buffer
	if err := testkit.RunTo(t, &out, io.Discard, "serve", "--help"); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"--addr", "MARCADOR_ADDR", "--jwt-secret", "MARCADOR_JWT_SECRET", "--jwt-public-key", "MARCADOR_JWT_PUBLIC_KEY", "--jwks-url", "MARCADOR_JWKS_URL", "--throttle", "10s", "--cache-ttl", "MARCADOR_CACHE_TTL", "--recompute"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("serve --help lacks %s", want)
		}
	}
}

// A flag wins over its environment variable.
func TestRun_environment(t *testing.T) {
	t.Setenv("MARCADOR_TOP", "0")
	t.Setenv("MARCADOR_DB", filepath.Join(t.TempDir(), "env.db"))
	if err := testkit.RunTo(t, io.Discard, io.Discard, "serve", "--addr", testkit.AnyPort); err == nil || !strings.Contains(err.Error(), "--top 0") {
		t.Errorf("error = %v, want the one about MARCADOR_TOP", err)
	}
	p := testkit.Start(t, "serve", "--addr", testkit.AnyPort, "--top", "5")
	p.Enrol(1)
	if _, err := os.Stat(os.Getenv("MARCADOR_DB")); err != nil {
		t.Error(err)
	}
}

// A warning follows a secret on the command line, and none follows one in the environment.
func TestServe_secretInSight(t *testing.T) {
	const warning = "set the environment variable MARCADOR_JWT_SECRET"
	for _, flags := range [][]string{nil, {"--jwt-secret", secret}, {"--jwt-secret=" + secret, "--log-format", "json"}} {
		p := testkit.Serve(t, flags...)
		p.Stop()
		if got, want := p.Log.Has(warning), flags != nil; got != want || p.Log.Has(secret) {
			t.Errorf("with %q it says:\n%s", flags, p.Log)
		}
	}
	var errs strings.Builder
	if err := testkit.RunTo(t, new(strings.Builder), &errs, "token", "--sub", "ana", "--jwt-secret", secret); err != nil || !strings.Contains(errs.String(), warning) {
		t.Errorf("token says %q, %v", &errs, err)
	}
}

// A proxy's word that its client used HTTPS counts only if --trust-proxy names the proxy.
func TestServe_trustProxy(t *testing.T) {
	for list, secure := range map[string]bool{"": true, "loopback": true, "127.0.0.1,10.0.0.0/8": true, "none": false, "10.0.0.7": false} {
		var flags []string
		if list != "" {
			flags = []string{"--trust-proxy", list}
		}
		p := testkit.Serve(t, flags...)
		res := p.Ask(http.MethodPost, "/v1/session", "Authorization", "Bearer "+testkit.Token(t, "u1", ""), "X-Forwarded-Proto", "https")
		if got := res.Cookies(); len(got) != 1 || got[0].Secure != secure {
			t.Errorf("--trust-proxy %q: cookies = %v, want Secure %t", list, got, secure)
		}
	}
}

// Files that are no certificate and key are refused in one line that names flag and file.
func TestServe_certificateErrors(t *testing.T) {
	a := certs.New(t)
	folder, other := t.TempDir(), t.TempDir()
	certFile, keyFile := a.Pair(folder, "marcador")
	_, otherKey := a.Pair(other, "other")
	missing := filepath.Join(folder, "missing.pem")
	letter := filepath.Join(folder, "letter.pem")
	testkit.Write(t, letter, []byte("Dear Sir or Madam."))
	for name, c := range map[string]struct {
		flags []string
		want  []string
	}{
		"no key":              {[]string{"--tls-cert", certFile}, []string{"--tls-cert needs --tls-key"}},
		"no certificate":      {[]string{"--tls-key", keyFile}, []string{"--tls-key needs --tls-cert"}},
		"missing certificate": {[]string{"--tls-cert", missing, "--tls-key", keyFile}, []string{"--tls-cert", missing}},
		"missing key":         {[]string{"--tls-cert", certFile, "--tls-key", missing}, []string{"--tls-key", missing}},
		"a folder":            {[]string{"--tls-cert", folder, "--tls-key", keyFile}, []string{"--tls-cert", folder}},
		"not PEM":             {[]string{"--tls-cert", letter, "--tls-key", keyFile}, []string{"--tls-cert", letter, "PEM"}},
		"another's key":       {[]string{"--tls-cert", certFile, "--tls-key", otherKey}, []string{"--tls-key", otherKey, "does not match"}},
		"switched":            {[]string{"--tls-cert", keyFile, "--tls-key", certFile}, []string{"--tls-cert", "switched"}},
	} {
		t.Run(name, func(t *testing.T) {
			args := append([]string{"serve", "--addr", testkit.AnyPort, "--db", filepath.Join(folder, "m.db")}, c.flags...)
			var said bytes.Buffer
			err := testkit.RunTo(t, &said, &said, args...)
			if err == nil || strings.Contains(err.Error(), "\n") {
				t.Fatalf("error = %v, want one of one line", err)
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q lacks %q", err, want)
				}
			}
		})
	}
}
