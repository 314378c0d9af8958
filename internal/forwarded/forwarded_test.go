package forwarded_test

import (
	"crypto/tls"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"marcador/internal/forwarded"
)

// of returns where a request with these headers, in pairs, came from for a service that trusts the
// list.
func of(t testing.TB, trusted, remote string, headers ...string) forwarded.Request {
	t.Helper()
	proxies, err := forwarded.Parse(strings.Split(trusted, ","))
	if err != nil {
		t.Fatal(err)
	}
	r := &http.Request{RemoteAddr: remote, Host: "upstream:8080", Header: http.Header{}}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return proxies.Of(r)
}

// Headers count if a trusted proxy has added them.
func TestProxies_Of(t *testing.T) {
	const xff, xfp, xfh, std = "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "Forwarded"
	for name, c := range map[string]struct {
		trusted, remote string
		headers         []string
		addr            string
		secure          bool
		host            string
	}{
		"no proxy":                       {"loopback", "203.0.113.9:1", nil, "203.0.113.9", false, ""},
		"a client's own headers":         {"loopback", "203.0.113.9:1", []string{xff, "1.2.3.4", xfp, "https", xfh, "evil", std, "for=1.2.3.4;proto=https;host=evil"}, "203.0.113.9", false, ""},
		"a proxy that says nothing":      {"loopback", "127.0.0.1:1", nil, "127.0.0.1", false, ""},
		"a proxy that trusts nobody":     {"none", "127.0.0.1:1", []string{xff, "1.2.3.4", xfp, "https"}, "127.0.0.1", false, ""},
		"one proxy":                      {"loopback", "127.0.0.1:1", []string{xff, "203.0.113.9", xfp, "https", xfh, "school.mx"}, "203.0.113.9", true, "school.mx"},
		"over IPv6":                      {"loopback", "[::1]:1", []string{xff, "2001:db8::7"}, "2001:db8::7", false, ""},
		"mapped":                         {"loopback", "[::ffff:127.0.0.1]:1", []string{xff, "::ffff:203.0.113.9"}, "203.0.113.9", false, ""},
		"with ports":                     {"loopback", "127.0.0.1:1", []string{xff, "[2001:db8::7]:99"}, "2001:db8::7", false, ""},
		"one that the client has added":  {"loopback", "127.0.0.1:1", []string{xff, "1.2.3.4, 203.0.113.9"}, "203.0.113.9", false, ""},
		"the same, in two headers":       {"loopback", "127.0.0.1:1", []string{xff, "1.2.3.4", xff, "203.0.113.9"}, "203.0.113.9", false, ""},
		"two proxies":                    {"loopback,10.0.0.0/8", "127.0.0.1:1", []string{xff, "1.2.3.4, 203.0.113.9, 10.1.2.3", xfp, "https, http", xfh, "school.mx, inner"}, "203.0.113.9", true, "school.mx"},
		"two proxies, one scheme":        {"loopback,10.0.0.0/8", "127.0.0.1:1", []string{xff, "203.0.113.9, 10.1.2.3", xfp, "https"}, "203.0.113.9", true, ""},
		"two proxies, one trusted":       {"loopback", "127.0.0.1:1", []string{xff, "203.0.113.9, 10.1.2.3", xfp, "https, http"}, "10.1.2.3", false, ""},
		"all are trusted":                {"loopback,10.0.0.0/8", "127.0.0.1:1", []string{xff, "10.9.9.9, 10.1.2.3"}, "10.9.9.9", false, ""},
		"broken":                         {"loopback", "127.0.0.1:1", []string{xff, "1.2.3.4, what", xfp, "ftp"}, "127.0.0.1", false, ""},
		"empty":                          {"loopback", "127.0.0.1:1", []string{xff, "", xfp, ""}, "127.0.0.1", false, ""},
		"standard":                       {"loopback", "127.0.0.1:1", []string{std, `for=1.2.3.4, For="[2001:db8::7]:4711" ; Proto=https;host="school.mx:8443";by=_me`}, "2001:db8::7", true, "school.mx:8443"},
		"standard, escaped":              {"loopback", "127.0.0.1:1", []string{std, `for="203.0.113\.9"`}, "203.0.113.9", false, ""},
		"standard, two proxies":          {"loopback,10.0.0.0/8", "127.0.0.1:1", []string{std, "for=203.0.113.9;proto=https", std, "for=10.1.2.3;proto=http"}, "203.0.113.9", true, ""},
		"standard, hidden":               {"loopback", "127.0.0.1:1", []string{std, "for=_hidden;proto=https"}, "127.0.0.1", true, ""},
		"standard, unknown":              {"loopback", "127.0.0.1:1", []string{std, "for=unknown"}, "127.0.0.1", false, ""},
		"standard, a quote too many":     {"loopback", "127.0.0.1:1", []string{std, `for="1.2.3.4`}, "127.0.0.1", false, ""},
		"standard, broken beside usual":  {"loopback", "127.0.0.1:1", []string{std, "for", xff, "203.0.113.9"}, "203.0.113.9", false, ""},
		"both, and they agree":           {"loopback", "127.0.0.1:1", []string{std, "for=203.0.113.9;proto=https", xff, "203.0.113.9"}, "203.0.113.9", true, ""},
		"both, and one of them is a lie": {"loopback", "127.0.0.1:1", []string{std, "for=1.2.3.4;proto=https;host=evil", xff, "203.0.113.9"}, "127.0.0.1", false, ""},
		"no address":                     {"loopback", "@", []string{xff, "203.0.113.9"}, "invalid IP", false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := of(t, c.trusted, c.remote, c.headers...)
			if c.host == "" {
				c.host = "upstream:8080"
			}
			if got.Addr.String() != c.addr || got.Secure != c.secure || got.Host != c.host {
				t.Errorf("the request came from %+v, want %s %t %s", got, c.addr, c.secure, c.host)
			}
		})
	}
	proxies, err := forwarded.Parse([]string{"none"})
	if err != nil {
		t.Fatal(err)
	}
	if !proxies.Of(&http.Request{RemoteAddr: "203.0.113.9:1", TLS: &tls.ConnectionState{}}).Secure {
		t.Error("a request by TLS to the service itself is not secure")
	}
}

func TestParse(t *testing.T) {
	for entry, wrong := range map[string]bool{
		"loopback": false, "none": false, "10.0.0.7": false, "10.0.0.0/8": false, "::1": false, "fd00::/8": false, " 10.0.0.7 ": false,
		"::ffff:10.0.0.0/104": false, "": true, "proxy": true, "10.0.0.0/33": true, "10.0.0": true, "all": true, "10.0.0.7:80": true,
	} {
		if _, err := forwarded.Parse([]string{entry}); (err != nil) != wrong {
			t.Errorf("%q: %v", entry, err)
		} else if err != nil && !strings.Contains(err.Error(), "such as 10.0.0.7") {
			t.Errorf("the error about %q does not say what to do: %v", entry, err)
		}
	}
	if _, err := forwarded.Parse([]string{"none", "10.0.0.7"}); err == nil {
		t.Error("none is accepted together with an address")
	}
}

func TestClient(t *testing.T) {
	for addr, want := range map[string]string{
		"203.0.113.9": "203.0.113.9/32", "2001:db8:1:2:3::7": "2001:db8:1:2::/64", "::ffff:203.0.113.9": "203.0.113.9/32", "fe80::1%eth0": "fe80::/64",
	} {
		if got := forwarded.Client(netip.MustParseAddr(addr)); got.String() != want {
			t.Errorf("client of %s = %s, want %s", addr, got, want)
		}
	}
	if forwarded.Client(netip.Addr{}).IsValid() {
		t.Error("an invalid address has a client")
	}
}

// FuzzProxies_Of checks that there is an address whatever a trusted proxy passes on, and that the
// headers of other clients are ignored.
func FuzzProxies_Of(f *testing.F) {
	f.Add("for=1.2.3.4;proto=https", "1.2.3.4, 10.0.0.1", "https", "school.mx")
	f.Add(`for="[2001:db8::7]:4711",for=_x`, ",,", "http,https", "")
	f.Add(`for="\`, "\xff", ";", `"`)
	f.Fuzz(func(t *testing.T, standard, usual, proto, host string) {
		headers := []string{"Forwarded", standard, "X-Forwarded-For", usual, "X-Forwarded-Proto", proto, "X-Forwarded-Host", host}
		if got := of(t, "loopback", "127.0.0.1:1", headers...); !got.Addr.IsValid() {
			t.Errorf("no address: %+v", got)
		}
		if got := of(t, "loopback", "203.0.113.9:1", headers...); got.Addr.String() != "203.0.113.9" || got.Secure || got.Host != "upstream:8080" {
			t.Errorf("a client's own headers count: %+v", got)
		}
	})
}
