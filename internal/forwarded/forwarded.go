// Package forwarded finds out where a request came from before trusted proxies passed it on: from
// which address, by which scheme, and for which host. It reads the header Forwarded (RFC 7239), and
// the headers X-Forwarded-For, X-Forwarded-Proto and X-Forwarded-Host.
//
// Each proxy appends the address from which it got the request. So the addresses are read from the
// right, as long as the proxy that added them is trusted:
//
//	X-Forwarded-For: 1.2.3.4, 203.0.113.9, 10.0.0.7      connection from 127.0.0.1
//	                     │         │           │                    │
//	                     │         │           └────── added by ────┘ trusted: go on
//	                     │         └── added by 10.0.0.7, trusted: the client's address
//	                     └── added by the client, which is not trusted: ignored
package forwarded

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Words that Parse accepts instead of addresses: the addresses of this machine, and no address.
const (
	Loopback = "loopback"
	None     = "none"
)

// Proxies are the addresses of the proxies whose headers are believed. The zero value trusts
// loopback. It is immutable.
type Proxies struct{ trusted []netip.Prefix } // nil for loopback

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

// Parse returns the proxies of a list. An entry is an address, a prefix such as 10.0.0.0/8, or one
// of the words loopback and none. The error names the entry and says what to do.
func Parse(list []string) (Proxies, error) {
	p := Proxies{trusted: []netip.Prefix{}}
	for _, entry := range list {
		switch entry = strings.TrimSpace(entry); entry {
		case None:
			if len(list) > 1 {
				return p, fmt.Errorf("%q is given together with other entries; give it alone, or leave it out", None)
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
		return prefix.Masked(), err //nolint:wrapcheck // Parse replaces it
	}
	addr, err := netip.ParseAddr(entry)
	if err != nil {
		return netip.Prefix{}, err //nolint:wrapcheck // Parse replaces it
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
	// Addr is the client's address: the first one, from the right, that is not a trusted proxy. It
	// is invalid if the address of the connection is not known.
	Addr netip.Addr

	// Secure is whether it came by TLS, to the service itself or to a trusted proxy.
	Secure bool

	// Host is the host that it was for: the one that a trusted proxy names, or else the request's.
	Host string
}

// hop is what one proxy says about the request that it got. Fields are empty if it does not say.
type hop struct{ from, proto, host string }

// Of returns where the request came from. Headers that no trusted proxy has added, and headers that
// can't be read, are ignored.
func (p Proxies) Of(r *http.Request) Request {
	of := Request{Addr: addrOf(r.RemoteAddr), Secure: r.TLS != nil, Host: r.Host}
	if !of.Addr.IsValid() || !p.trusts(of.Addr) {
		return of
	}
	standard, ok := parseForwarded(r.Header.Values("Forwarded"))
	usual := usualHops(r.Header)
	var nearest hop // of the trusted proxy that is nearest to the client
	switch {
	case ok && len(standard) > 0 && len(usual) > 0:
		// A proxy sets one of the headers and may pass on the other as the client has sent it. If
		// they differ, it is not known which one is true.
		a, b := p.walk(of.Addr, standard), p.walk(of.Addr, usual)
		if a.addr != b.addr {
			return of
		}
		of.Addr, nearest = a.addr, a.last
	case ok && len(standard) > 0:
		w := p.walk(of.Addr, standard)
		of.Addr, nearest = w.addr, w.last
	default:
		w := p.walk(of.Addr, usual)
		of.Addr, nearest = w.addr, w.last
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

// walked is the result of walk.
type walked struct {
	addr  netip.Addr
	last  hop // the last one that was believed
	depth int // how many hops were believed
}

// walk goes through the hops from the service towards the client, as long as the proxy that added
// the next one is trusted.
func (p Proxies) walk(from netip.Addr, hops []hop) walked {
	w := walked{addr: from}
	for i := len(hops) - 1; i >= 0 && p.trusts(w.addr); i-- {
		w.last = hops[i]
		w.depth++
		next := addrOf(hops[i].from)
		if !next.IsValid() {
			break // the proxy does not say, so its own address is the last one that is known
		}
		w.addr = next
	}
	return w
}

// usualHops returns the hops of X-Forwarded-For.
func usualHops(h http.Header) (hops []hop) {
	for _, from := range list(h.Values("X-Forwarded-For")) {
		hops = append(hops, hop{from: from})
	}
	return hops
}

// list returns the entries of headers that are lists separated by commas.
func list(headers []string) (entries []string) {
	for _, header := range headers {
		for entry := range strings.SplitSeq(header, ",") {
			entries = append(entries, strings.TrimSpace(entry))
		}
	}
	return entries
}

// fromRight returns the entry that comes n before the last one, or else the first one. Proxies that
// append to the header leave an entry for each hop. Proxies that replace it leave a single one.
func fromRight(headers []string, n int) string {
	entries := list(headers)
	if len(entries) == 0 {
		return ""
	}
	return entries[max(len(entries)-1-n, 0)]
}

// addrOf returns the address in a text, which may have a port, or an invalid address.
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

// Client returns the addresses that belong to the same client as this one. For IPv4 that is the
// address itself. For IPv6 it is everything with the same first half, since a client can use all of
// these addresses.
func Client(addr netip.Addr) netip.Prefix {
	addr = addr.Unmap().WithZone("")
	bits := addr.BitLen()
	if addr.Is6() {
		bits /= 2
	}
	prefix, _ := addr.Prefix(bits) // it only fails for an invalid address, and is invalid then
	return prefix
}
