package static_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"marcador/static"
)

// ask requests a file. Headers are pairs of names and values.
func ask(tb testing.TB, method, path string, headers ...string) (*http.Response, []byte) {
	tb.Helper()
	r := httptest.NewRequestWithContext(tb.Context(), method, path, nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	static.Handler(false).ServeHTTP(w, r)
	res := w.Result()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		tb.Fatal(err)
	}
	if err := res.Body.Close(); err != nil {
		tb.Error(err)
	}
	return res, b
}

func TestHandler_gzip(t *testing.T) {
	for _, path := range []string{"/", "/marcador/client/check.js", "/static/page/page.js", "/static/page/style.css"} {
		plain, text := ask(t, http.MethodGet, path)
		packed, small := ask(t, http.MethodGet, path, "Accept-Encoding", "gzip, deflate, br, zstd")
		if packed.StatusCode != http.StatusOK || packed.Header.Get("Content-Encoding") != "gzip" || plain.Header.Get("Content-Encoding") != "" {
			t.Fatalf("%s = %d in %q, plainly in %q", path, packed.StatusCode, packed.Header.Get("Content-Encoding"), plain.Header.Get("Content-Encoding"))
		}
		r, err := gzip.NewReader(bytes.NewReader(small))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, text) {
			t.Errorf("%s unzipped differs from the plain file: %v", path, err)
		}
		if len(small) > len(text)/2 {
			t.Errorf("%s: %d of %d bytes", path, len(small), len(text))
		}
		for _, res := range []*http.Response{plain, packed} {
			if res.Header.Get("Vary") != "Accept-Encoding" || res.Header.Get("Cache-Control") != "no-cache" || res.Header.Get("Content-Type") == "" {
				t.Errorf("%s: %v", path, res.Header)
			}
		}
		if got := packed.Header.Get("Content-Length"); got != strconv.Itoa(len(small)) {
			t.Errorf("%s: Content-Length = %s, want %d", path, got, len(small))
		}
		head, none := ask(t, http.MethodHead, path, "Accept-Encoding", "gzip")
		if len(none) > 0 || head.Header.Get("Content-Length") != strconv.Itoa(len(small)) || head.Header.Get("Content-Encoding") != "gzip" {
			t.Errorf("HEAD %s = %v with %d bytes", path, head.Header, len(none))
		}
		// Each coding has its own ETag, and it is strong.
		etag := packed.Header.Get("ETag")
		if etag == plain.Header.Get("ETag") || strings.HasPrefix(etag, "W/") {
			t.Errorf("%s: ETag %s is weak, or the same for both codings", path, etag)
		}
		for tag, want := range map[string]int{etag: 304, plain.Header.Get("ETag"): 200, `"other"`: 200, "W/" + etag: 304, `"other", ` + etag: 304, "*": 304} {
			again, left := ask(t, http.MethodGet, path, "Accept-Encoding", "gzip", "If-None-Match", tag)
			if again.StatusCode != want || want == 304 && (len(left) > 0 || again.Header.Get("ETag") != etag || again.Header.Get("Content-Length") != "" || again.Header.Get("Vary") == "") {
				t.Errorf("%s with If-None-Match %s = %d %v, want %d", path, tag, again.StatusCode, again.Header, want)
			}
		}
		// A range is one of the coded body.
		part, some := ask(t, http.MethodGet, path, "Accept-Encoding", "gzip", "Range", "bytes=10-19", "If-Range", etag)
		if part.StatusCode != http.StatusPartialContent || !bytes.Equal(some, small[10:20]) || part.Header.Get("Content-Encoding") != "gzip" || part.Header.Get("Content-Length") != "10" {
			t.Errorf("%s, bytes 10 to 19 = %d %v, %d bytes", path, part.StatusCode, part.Header, len(some))
		}
		if whole, all := ask(t, http.MethodGet, path, "Accept-Encoding", "gzip", "Range", "bytes=10-19", "If-Range", plain.Header.Get("ETag")); whole.StatusCode != http.StatusOK || !bytes.Equal(all, small) {
			t.Errorf("%s, a part of the other coding = %d", path, whole.StatusCode)
		}
		if past, _ := ask(t, http.MethodGet, path, "Accept-Encoding", "gzip", "Range", "bytes=9999999-"); past.StatusCode != http.StatusRequestedRangeNotSatisfiable || past.Header.Get("Content-Encoding") != "" {
			t.Errorf("%s, past its end = %d %v", path, past.StatusCode, past.Header)
		}
	}
}

func TestAcceptsGzip(t *testing.T) {
	for accept, want := range map[string]bool{
		"": false, "gzip": true, "GZIP": true, "x-gzip": true, "br": false, "identity": false, "*": true, "br, *;q=0": false,
		"gzip;q=0": false, "gzip; q=0.0": false, "gzip;q=0.5": true, "*, gzip;q=0": false, "gzip, *;q=0": true, "gzip;q=high": false, "gzip;level=9": false,
	} {
		if got := static.AcceptsGzip([]string{accept}); got != want {
			t.Errorf("AcceptsGzip(%q) = %v", accept, got)
		}
	}
	if !static.AcceptsGzip([]string{"br", "gzip"}) {
		t.Error("a second line does not count")
	}
}
