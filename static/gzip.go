package static

import (
	"bytes"
	"compress/gzip"
	"strconv"
	"strings"
)

// AcceptsGzip reports whether the client takes gzip, as RFC 9110, section 12.5.3,
// words it. One that does not say is sent the plain text.
func AcceptsGzip(headers []string) bool {
	gzip, any := -1.0, -1.0 // how much it is wanted, -1 for not named
	for item := range strings.SplitSeq(strings.Join(headers, ","), ",") {
		coding, parameter, weighted := strings.Cut(item, ";")
		q := 1.0
		if weighted {
			name, value, _ := strings.Cut(parameter, "=")
			parsed, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			if err != nil || !strings.EqualFold(strings.TrimSpace(name), "q") {
				continue // not a preference that anyone can read
			}
			q = parsed
		}
		switch strings.ToLower(strings.TrimSpace(coding)) {
		case "gzip", "x-gzip":
			gzip = q
		case "*":
			any = q
		}
	}
	if gzip < 0 {
		gzip = any
	}
	return gzip > 0
}

// zipped returns the body compressed as far as it goes, or nil where that is not less.
func zipped(body []byte) ([]byte, error) {
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err == nil {
		_, err = w.Write(body)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil || b.Len() >= len(body) {
		return nil, err
	}
	return b.Bytes(), nil
}
