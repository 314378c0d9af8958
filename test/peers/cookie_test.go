package peers_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/security"

	"marcador/auth"
	"marcador/test/testkit"
	"marcador/test/testkit/browser"
	"marcador/test/testkit/certs"
	"marcador/test/testkit/proxy"
)

// nginxSettings are ways in which nginx says, or does not say, how its client reached it.
var nginxSettings = map[string]struct {
	tls bool
	set string
}{
	"as it comes":            {false, ""},
	"as it comes, with TLS":  {true, ""},
	"forwarding, with TLS":   {true, `proxy_set_header Host $http_host; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_set_header X-Forwarded-Proto $scheme;`},
	"host alone, with TLS":   {true, `proxy_set_header X-Forwarded-Host $http_host;`},
	"the standard, with TLS": {true, `proxy_set_header Forwarded "for=$remote_addr;proto=$scheme;host=\"$http_host\"";`},
}

// Behind nginx, even as it comes and names its upstream as the host, the cookie is Secure if the
// page came by HTTPS. The service's own page can write with it, and no other page can.
func TestNginx_cookie(t *testing.T) {
	a := certs.New(t)
	certFile, keyFile := a.Pair(t.TempDir(), "school")
	for name, c := range nginxSettings {
		t.Run(name, func(t *testing.T) {
			p := testkit.Serve(t)
			p.Enrol(2)
			addr, listen, scheme := testkit.FreeAddress(t), "", "http://"
			if c.tls {
				listen, scheme = fmt.Sprintf(" ssl; ssl_certificate %s; ssl_certificate_key %s", certFile, keyFile), "https://"
			}
			server := fmt.Sprintf("listen %s%s; location / { proxy_pass %s; %s }", addr, listen, p.URL, c.set)
			through := proxy.NginxServer(t, p, scheme+addr, server)
			through.Client = &http.Client{Transport: a.Transport(func(p *http.Protocols) { p.SetHTTP1(true) })}
			token := testkit.Token(t, "u1", "")
			checkCookie(t, through, token, c.tls)
			if c.tls && c.set == "" {
				writesWithCookie(t, through, token)
			}
		})
	}
}

// checkCookie begins a session and writes with its cookie, as browsers do for several pages.
func checkCookie(t *testing.T, through *testkit.Program, token string, secure bool) {
	t.Helper()
	res := through.Ask(http.MethodPost, "/v1/session", "Authorization", "Bearer "+token, "Origin", through.URL)
	var pairs []string
	for _, set := range res.Cookies() {
		pairs = append(pairs, set.Name+"="+set.Value)
		if set.Secure != secure {
			t.Errorf("the cookie %s: Secure = %t", set.Name, set.Secure)
		}
	}
	cookies := strings.Join(pairs, "; ")
	for page, c := range map[string]struct {
		headers []string
		want    int
	}{
		"its page":                  {[]string{"Origin", through.URL, "Sec-Fetch-Site", "same-origin"}, http.StatusNoContent},
		"its page, old browser":     {[]string{"Origin", through.URL}, http.StatusNoContent},
		"another site":              {[]string{"Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"}, http.StatusForbidden},
		"another site, old browser": {[]string{"Origin", "https://evil.example"}, http.StatusForbidden},
		"another port":              {[]string{"Origin", "https://127.0.0.1:1", "Sec-Fetch-Site", "same-site"}, http.StatusForbidden},
		"another port, old browser": {[]string{"Origin", "https://127.0.0.1:1"}, http.StatusForbidden},
	} {
		if res := through.Ask(http.MethodPut, "/v1/users/u1/friends/u2", append(c.headers, "Cookie", cookies)...); res.StatusCode != c.want {
			t.Errorf("%s: %d, want %d", page, res.StatusCode, c.want)
		}
	}
}

// writesWithCookie lets a page in Chromium begin a session and write with its cookie.
func writesWithCookie(t *testing.T, through *testkit.Program, token string) {
	t.Helper()
	window := browser.Open(t, 800, 600, "en-US")
	browser.Send(window, security.SetIgnoreCertificateErrors, security.SetIgnoreCertificateErrorsParams{Ignore: true})
	window.Visit(through.URL + "/")
	got := browser.Eval[string](window, `(async () => {
		const session = await fetch("/v1/session", { method: "POST", headers: { Authorization: "Bearer `+token+`" } });
		const write = await fetch("/v1/users/u1/friends/u2", { method: "PUT" });
		return session.status + " " + write.status;
	})()`)
	if got != "200 204" {
		t.Errorf("Chromium begins a session and writes: %s", got)
	}
	for _, one := range browser.Send(window, network.GetCookies, network.GetCookiesParams{}).Cookies {
		if one.Name == auth.Cookie && (!one.Secure || !one.HTTPOnly) {
			t.Errorf("Chromium keeps %+v", one)
		}
	}
}
