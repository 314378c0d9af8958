package command

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"marcador/internal/forwarded"
)

// corsFlags say which other sites' pages may call the API.
type corsFlags struct {
	CORSOrigins []string `name:"cors-origins" help:"Origins of other sites whose pages may call the API, such as https://school.example, with commas between them."`
}

// proxyFlags say whose word counts on where a request comes from.
type proxyFlags struct {
	TrustProxy []string `default:"loopback" help:"Addresses and prefixes of proxies whose Forwarded, X-Forwarded-For, X-Forwarded-Proto and X-Forwarded-Host count, with commas between them: such as 10.0.0.7 or 10.0.0.0/8; 'loopback' is this machine, 'none' trusts nobody."`
}

func (f proxyFlags) proxies() (forwarded.Proxies, error) {
	proxies, err := forwarded.Parse(f.TrustProxy)
	if err != nil {
		return proxies, fmt.Errorf("--trust-proxy: %w", err)
	}
	return proxies, nil
}

// origins returns the flag's as browsers write them.
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

// originProblem says what is wrong with an origin, and what to do. It is compared to
// the letter with what browsers send, so what they would never send is an error.
func originProblem(origin string) string {
	u, err := url.Parse(origin)
	switch {
	case origin == "":
		return "is empty; give origins such as https://school.example, or leave the flag out"
	case origin == "null":
		return "is refused: it is the origin of any sandboxed frame and local file; serve the page from an address, and give that"
	case strings.Contains(origin, "*"):
		return "is refused: whoever a page belongs to, it could call the API with what tokens it gets hold of; name each origin"
	case err != nil || u.Scheme == "" || u.Host == "" || u.Opaque != "":
		return "is not an origin; give scheme://host or scheme://host:port, such as https://school.example"
	case u.User != nil:
		return "has a name in front of the host; give scheme://host"
	case u.Path != "" || u.RawQuery != "" || u.ForceQuery || strings.Contains(origin, "#"):
		return fmt.Sprintf("has more than an origin; leave out what comes behind the host: %s://%s", u.Scheme, u.Host)
	case strings.ToLower(origin) != origin:
		return "has capital letters, which browsers don't send; give " + strings.ToLower(origin)
	case strings.ContainsFunc(origin, func(r rune) bool { return r > '~' }):
		return "has letters that browsers send in another form; give the host as it begins with xn--"
	case u.Scheme == "http" && u.Port() == "80", u.Scheme == "https" && u.Port() == "443":
		return fmt.Sprintf("has the port that browsers leave out; give %s://%s", u.Scheme, strings.TrimSuffix(u.Host, ":"+u.Port()))
	case strings.HasSuffix(u.Host, ":"), u.Hostname() == "":
		return "has no host or no port where one should be; give scheme://host or scheme://host:port"
	case u.Port() != "":
		if _, err := strconv.ParseUint(u.Port(), 10, 16); err != nil {
			return "has a port that there is not; give one from 1 to 65535"
		}
	}
	return ""
}
