package forwarded

import "strings"

// parseForwarded reads the header Forwarded by RFC 7239, section 4: elements separated by commas,
// in each of them pairs separated by semicolons, with values plain or in quotes. It returns false
// if it can't read all of it, because then no part of it is reliable.
func parseForwarded(headers []string) (hops []hop, ok bool) {
	rest := strings.Join(headers, ",")
	if strings.TrimSpace(rest) == "" {
		return nil, true
	}
	for {
		var one hop
		var more byte
		for {
			var name, value string
			if name, value, rest, ok = pair(rest); !ok {
				return nil, false
			}
			switch strings.ToLower(name) {
			case "for":
				one.from = value
			case "proto":
				one.proto = value
			case "host":
				one.host = value
			}
			rest = strings.TrimLeft(rest, " \t")
			if rest == "" {
				return append(hops, one), true
			}
			more, rest = rest[0], rest[1:]
			if more != ';' {
				break
			}
		}
		if more != ',' {
			return nil, false
		}
		hops = append(hops, one)
	}
}

// pair reads name=value and returns the rest of the text.
func pair(text string) (name, value, rest string, ok bool) {
	name, rest, ok = strings.Cut(strings.TrimLeft(text, " \t"), "=")
	if !ok || name == "" || strings.ContainsAny(name, " \t\",;") {
		return "", "", "", false
	}
	if !strings.HasPrefix(rest, `"`) {
		n := strings.IndexAny(rest, ",; \t\"")
		if n < 0 {
			n = len(rest)
		}
		return name, rest[:n], rest[n:], n > 0
	}
	var b strings.Builder
	for i := 1; i < len(rest); i++ {
		switch c := rest[i]; {
		case c == '"':
			return name, b.String(), rest[i+1:], true
		case c == '\\' && i+1 < len(rest):
			i++
			b.WriteByte(rest[i])
		default:
			b.WriteByte(c)
		}
	}
	return "", "", "", false
}
