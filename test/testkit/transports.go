package testkit

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
)

// HTTP1 returns a transport that speaks HTTP/1.1 and inflates nothing.
func HTTP1() http.RoundTripper {
	return &http.Transport{DisableCompression: true, DisableKeepAlives: true}
}

// HTTP2 returns a transport that speaks HTTP/2 without TLS and inflates nothing.
func HTTP2() http.RoundTripper {
	t := &http.Transport{DisableCompression: true, Protocols: new(http.Protocols)}
	t.Protocols.SetUnencryptedHTTP2(true)
	return t
}

// HTTP10 is a transport that speaks HTTP/1.0. Each answer ends with its connection.
type HTTP10 struct{}

// RoundTrip implements http.RoundTripper. It sends no header but Accept-Encoding.
func (HTTP10) RoundTrip(r *http.Request) (*http.Response, error) {
	conn, err := new(net.Dialer).DialContext(r.Context(), "tcp", r.URL.Host)
	if err != nil {
		return nil, err
	}
	_, err = fmt.Fprintf(conn, "GET %s HTTP/1.0\r\nAccept-Encoding: %s\r\n\r\n", r.URL.RequestURI(), r.Header.Get("Accept-Encoding"))
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), r)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	res.Body = struct {
		io.Reader
		io.Closer
	}{res.Body, conn}
	return res, nil
}
