package command

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"marcador/internal/forwarded"
)

// corsFlags say which sites' pages may call the API, besides the service's own.
type corsFlags struct {
	CORSOrigins []string `name:"cors-origins" help:"Origins of other sites whose pages may call the API, separated by commas, such as https://school.example."`
}

// proxyFlags say which proxies are believed about where a request comes from.
type proxyFlags struct {
	TrustProxy []string `default:"loopback" help:"Proxies whose headers Forwarded, X-Forwarded-For, X-Forwarded-Proto and X-Forwarded-Host are believed: addresses and prefixes, separated by commas, such as 10.0.0.7 or 10.0.0.0/8. 'loopback' is this machine, 'none' is no proxy."`
}

func (f proxyFlags) proxies() (forwarded.Proxies, error) {
	proxies, err := forwarded.Parse(f.TrustProxy)
	if err != nil {
		return proxies, fmt.Errorf("--trust-proxy: %w", err)
	}
	return proxies, nil
}

// origins returns the origins of the flag, each as browsers write it.
func (f corsFlags) origins() (list []string, err error) {
	for _, origin := range f.CORSOrigins {
		origin = strings.TrimSpace(origin)
		if problem := originProblem(origin); problem != "" {
			return nil, fmt.Errorf("--cors-origins %q %s", origin, problem)
		}
		list = append(list, origin)
	}
	return list, nil
}

// originProblem says what is wrong with an origin, and what to do about it, or nothing. Origins are
// compared letter by letter with what browsers send, so an origin that no browser sends is an
// error.
func originProblem(origin string) string {
	u, err := url.Parse(origin)
	switch {
	case origin == "":
		return "is empty; give origins such as https://school.example, or leave the flag out"
	case origin == "null":
		return "is refused: every sandboxed frame and local file has this origin; serve the page from an address, and give that address"
	case strings.Contains(origin, "*"):
		return "is refused: pages of anybody could then call the API with any token that they get; name each origin"
	case err != nil || u.Scheme == "" || u.Host == "" || u.Opaque != "":
		return "is not an origin; give scheme://host or scheme://host:port, such as https://school.example"
	case u.User != nil:
		return "has a user name in front of the host; give scheme://host"
	case u.Path != "" || u.RawQuery != "" || u.ForceQuery || strings.Contains(origin, "#"):
		return fmt.Sprintf("is longer than an origin; leave out everything after the host: %s://%s", u.Scheme, u.Host)
	case strings.ToLower(origin) != origin:
		return "has capital letters, which browsers don't send; give " + strings.ToLower(origin)
	case strings.ContainsFunc(origin, func(r rune) bool { return r > '~' }):
		return "has letters that browsers encode; give the encoded host, which begins with xn--"
	case u.Scheme == "http" && u.Port() == "80", u.Scheme == "https" && u.Port() == "443":
		return fmt.Sprintf("has the port that browsers leave out; give %s://%s", u.Scheme, strings.TrimSuffix(u.Host, ":"+u.Port()))
	case strings.HasSuffix(u.Host, ":"), u.Hostname() == "":
		return "has no host, or no port after the colon; give scheme://host or scheme://host:port"
	case u.Port() != "":
		if _, err := strconv.ParseUint(u.Port(), 10, 16); err != nil {
			return "has a port that does not exist; give one from 1 to 65535"
		}
	}
	return ""
}
