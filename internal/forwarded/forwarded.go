// Package forwarded finds out what a trusted proxy says of a request: where it came from, by
// which scheme, and for which host. It reads the headers Forwarded (RFC 7239), and
// X-Forwarded-For, X-Forwarded-Proto and X-Forwarded-Host.
package forwarded

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Loopback is the word for the addresses of the machine itself, and None for no address.
const (
	Loopback = "loopback"
	None     = "none"
)

// Proxies are the addresses whose word counts. The zero value trusts loopback. It does not
// change.
type Proxies struct{ trusted []netip.Prefix } // nil for loopback

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

// Parse returns the proxies of a list: addresses, prefixes such as 10.0.0.0/8, the words
// loopback and none. The error names the entry and the remedy.
func Parse(list []string) (Proxies, error) {
	p := Proxies{trusted: []netip.Prefix{}}
	for _, entry := range list {
		switch entry = strings.TrimSpace(entry); entry {
		case None:
			if len(list) > 1 {
				return p, fmt.Errorf("%q stands beside others; give it alone, or leave it out", None)
			}
		case Loopback:
			p.trusted = append(p.trusted, loopback...)
		default:
			prefix, err := parsePrefix(entry)
			if err != nil {
				return p, fmt.Errorf("%q is no address; give one such as 10.0.0.7, a prefix such as 10.0.0.0/8, loopback or none", entry)
			}
			p.trusted = append(p.trusted, prefix)
		}
	}
	return p, nil
}

func parsePrefix(entry string) (netip.Prefix, error) {
	if strings.Contains(entry, "/") {
		prefix, err := netip.ParsePrefix(entry)
		if err == nil && prefix.Addr().Is4In6() {
			return netip.PrefixFrom(prefix.Addr().Unmap(), max(prefix.Bits()-96, 0)), nil
		}
		return prefix.Masked(), err //nolint:wrapcheck // it is only looked at
	}
	addr, err := netip.ParseAddr(entry)
	if err != nil {
		return netip.Prefix{}, err //nolint:wrapcheck // it is only looked at
	}
	addr = addr.Unmap().WithZone("")
	return netip.PrefixFrom(addr, addr.BitLen()), nil
}

func (p Proxies) trusts(addr netip.Addr) bool {
	trusted := p.trusted
	if trusted == nil {
		trusted = loopback
	}
	return slices.ContainsFunc(trusted, func(prefix netip.Prefix) bool { return prefix.Contains(addr) })
}

// Request is a request as it was before trusted proxies passed it on.
type Request struct {
	// Addr is where it came from: the first address, walking from the service, that is no
	// trusted proxy. It is invalid if not even the connection's is known.
	Addr netip.Addr

	// Secure says that it came by TLS, to the service itself or to a trusted proxy.
	Secure bool

	// Host is which host it was for: what a trusted proxy says, else the request's own.
	Host string
}

// hop is what a proxy says of the request that it was given. Empty is not known.
type hop struct{ from, proto, host string }

// Of returns where the request comes from. What no trusted proxy has said, and what can't be
// read, counts for nothing.
func (p Proxies) Of(r *http.Request) Request {
	of := Request{Addr: addrOf(r.RemoteAddr), Secure: r.TLS != nil, Host: r.Host}
	if !of.Addr.IsValid() || !p.trusts(of.Addr) {
		return of
	}
	standard, ok := parseForwarded(r.Header.Values("Forwarded"))
	usual := usualHops(r.Header)
	var nearest hop // the word of the trusted proxy that is nearest to the client
	switch {
	case ok && len(standard) > 0 && len(usual) > 0:
		// A proxy sets one and passes on what clients say in the other, which may be a lie.
		a, b := p.walk(of.Addr, standard), p.walk(of.Addr, usual)
		if a.addr != b.addr {
			return of
		}
		of.Addr, nearest = a.addr, a.said
	case ok && len(standard) > 0:
		w := p.walk(of.Addr, standard)
		of.Addr, nearest = w.addr, w.said
	default:
		w := p.walk(of.Addr, usual)
		of.Addr, nearest = w.addr, w.said
		depth := max(w.depth, 1) - 1
		nearest.proto = fromRight(r.Header.Values("X-Forwarded-Proto"), depth)
		nearest.host = fromRight(r.Header.Values("X-Forwarded-Host"), depth)
	}
	of.Secure = of.Secure || strings.EqualFold(nearest.proto, "https")
	if nearest.host != "" {
		of.Host = nearest.host
	}
	return of
}

// walked is how far a walk through trusted proxies came.
type walked struct {
	addr  netip.Addr
	said  hop // by the last of them
	depth int // how many hops were believed
}

// walk goes from the service towards the client, as long as the proxies are trusted.
func (p Proxies) walk(from netip.Addr, hops []hop) walked {
	w := walked{addr: from}
	for i := len(hops) - 1; i >= 0 && p.trusts(w.addr); i-- {
		w.said = hops[i]
		w.depth++
		next := addrOf(hops[i].from)
		if !next.IsValid() {
			break // unknown, hidden, or broken: the proxy itself is all that is known
		}
		w.addr = next
	}
	return w
}

// usualHops are those of X-Forwarded-For.
func usualHops(h http.Header) (hops []hop) {
	for _, from := range list(h.Values("X-Forwarded-For")) {
		hops = append(hops, hop{from: from})
	}
	return hops
}

// list returns the entries of headers that are lists with commas.
func list(headers []string) (entries []string) {
	for _, header := range headers {
		for entry := range strings.SplitSeq(header, ",") {
			entries = append(entries, strings.TrimSpace(entry))
		}
	}
	return entries
}

// fromRight returns the entry that many places from the last, or the first one. A proxy that
// replaces the header leaves one entry, one that appends leaves as many as there are hops.
func fromRight(headers []string, places int) string {
	entries := list(headers)
	if len(entries) == 0 {
		return ""
	}
	return entries[max(len(entries)-1-places, 0)]
}

// addrOf returns the address in a text with a port or without, or an invalid one.
func addrOf(text string) netip.Addr {
	if host, _, err := net.SplitHostPort(text); err == nil {
		text = host
	}
	text = strings.TrimSuffix(strings.TrimPrefix(text, "["), "]")
	addr, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Addr{}
	}
	return addr.Unmap().WithZone("")
}

// Client returns the part of an address that is one client's: of IPv6 the first half, since
// a client has all of the other.
func Client(addr netip.Addr) netip.Prefix {
	addr = addr.Unmap().WithZone("")
	bits := addr.BitLen()
	if addr.Is6() {
		bits /= 2
	}
	prefix, _ := addr.Prefix(bits) // as many as it has; none of an invalid one
	return prefix
}
