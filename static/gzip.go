package static

import (
	"bytes"
	"compress/gzip"
	"strconv"
	"strings"
)

// AcceptsGzip reports whether a client accepts gzip by its Accept-Encoding headers, as RFC 9110,
// section 12.5.3, defines it. Without such a header the answer is false.
func AcceptsGzip(headers []string) bool {
	gzip, any := -1.0, -1.0 // weights, -1 for a coding that is not named
	for item := range strings.SplitSeq(strings.Join(headers, ","), ",") {
		coding, parameter, weighted := strings.Cut(item, ";")
		q := 1.0
		if weighted {
			name, value, _ := strings.Cut(parameter, "=")
			parsed, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			if err != nil || !strings.EqualFold(strings.TrimSpace(name), "q") {
				continue // malformed
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

// zipped returns the body with the best compression, or nil if that saves nothing.
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
