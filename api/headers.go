package api

import (
	"maps"
	"net/http"
)

// safe are the headers of every answer. Browsers must not guess its type, must not show it as a
// page that loads anything, and must not embed it in pages of other sites. Handlers of pages
// replace some of them. The values are shared and must not be changed.
var safe = http.Header{
	"Content-Security-Policy":      {"default-src 'none'; frame-ancestors 'none'"},
	"Cross-Origin-Resource-Policy": {"same-origin"},
	"Referrer-Policy":              {"no-referrer"},
	"X-Content-Type-Options":       {"nosniff"},
}

// ofDocs are the headers of the page /docs.
var ofDocs = http.Header{
	"Cache-Control": {"no-cache"},
	"Content-Security-Policy": {"default-src 'none'; style-src 'self'; img-src 'self'; " +
		"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
	"Content-Type":               {"text/html; charset=utf-8"},
	"Cross-Origin-Opener-Policy": {"same-origin"},
	"Permissions-Policy":         {"camera=(), geolocation=(), microphone=(), payment=(), usb=()"},
	"X-Frame-Options":            {"DENY"},
}

// httpsOnly tells browsers to use HTTPS alone from now on.
var httpsOnly = []string{"max-age=31536000"}

func setSafe(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	maps.Copy(h, safe)
	if r.TLS != nil {
		h["Strict-Transport-Security"] = httpsOnly
	}
}
