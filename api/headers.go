package api

import (
	"maps"
	"net/http"
)

// safe are the headers of every answer: what it is is what its type says, no page may
// be made of it, and other sites' pages may not embed it. Handlers of pages say
// what theirs need. The values are shared and never changed.
var safe = http.Header{
	"Content-Security-Policy":      {"default-src 'none'; frame-ancestors 'none'"},
	"Cross-Origin-Resource-Policy": {"same-origin"},
	"Referrer-Policy":              {"no-referrer"},
	"X-Content-Type-Options":       {"nosniff"},
}

// ofDocs are those of the page /docs.
var ofDocs = http.Header{
	"Cache-Control": {"no-cache"},
	"Content-Security-Policy": {"default-src 'none'; style-src 'self'; img-src 'self'; " +
		"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
	"Content-Type":               {"text/html; charset=utf-8"},
	"Cross-Origin-Opener-Policy": {"same-origin"},
	"Permissions-Policy":         {"camera=(), geolocation=(), microphone=(), payment=(), usb=()"},
	"X-Frame-Options":            {"DENY"},
}

// onceSecure has browsers come back by HTTPS alone.
var onceSecure = []string{"max-age=31536000"}

func setSafe(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	maps.Copy(h, safe)
	if r.TLS != nil {
		h["Strict-Transport-Security"] = onceSecure
	}
}
