package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"
)

// answerTime is how long a caller waits for an answer at most.
const answerTime = 30 * time.Second

// caller writes over one connection and waits for each answer. It is simpler than net/http, because
// it shares the cores with the server. Only one goroutine may use it.
type caller struct {
	conn    net.Conn
	answers *bufio.Reader
	token   string
	out     []byte // the request
	in      []byte // the answer's body
}

// call connects a caller to a service.
func (s *service) call() (*caller, error) {
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(s.at.Port))
	conn, err := net.DialTimeout("tcp", addr, answerTime) //nolint:noctx // it has a time limit
	if err != nil {
		return nil, err
	}
	return &caller{conn: conn, answers: bufio.NewReaderSize(conn, 64<<10), token: s.program.admin}, nil
}

func (c *caller) close() error { return c.conn.Close() }

// post sends JSON and returns the answer, whose body is valid until the next call.
func (c *caller) post(path string, body []byte) (status int, answer []byte, err error) {
	c.out = fmt.Appendf(c.out[:0], "POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		path, c.token, len(body), body)
	if err := c.conn.SetDeadline(time.Now().Add(answerTime)); err != nil {
		return 0, nil, err
	}
	if _, err := c.conn.Write(c.out); err != nil {
		return 0, nil, err
	}
	return c.read()
}

// read reads an answer.
func (c *caller) read() (status int, body []byte, err error) {
	length, chunked := -1, false
	for first := true; ; first = false {
		line, err := c.answers.ReadSlice('\n')
		if err != nil {
			return 0, nil, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if first {
			if len(line) < len("HTTP/1.1 200") {
				return 0, nil, fmt.Errorf("answer %q is not HTTP", line)
			}
			if status, err = strconv.Atoi(string(line[9:12])); err != nil {
				return 0, nil, fmt.Errorf("answer %q is not HTTP", line)
			}
			continue
		}
		if len(line) == 0 {
			break
		}
		switch name, value, _ := bytes.Cut(line, []byte(": ")); {
		case bytes.EqualFold(name, []byte("Content-Length")):
			if length, err = strconv.Atoi(string(value)); err != nil {
				return 0, nil, err
			}
		case bytes.EqualFold(name, []byte("Transfer-Encoding")):
			chunked = true
		}
	}
	c.in = c.in[:0]
	switch {
	case chunked:
		err = c.chunks()
	case length < 0:
		err = errors.New("an answer without a length")
	default:
		err = c.take(length)
	}
	return status, c.in, err
}

// chunks reads a chunked body (RFC 9112, section 7.1).
func (c *caller) chunks() error {
	for {
		line, err := c.answers.ReadSlice('\n')
		if err != nil {
			return err
		}
		size, err := strconv.ParseUint(string(bytes.TrimRight(line, "\r\n")), 16, 31)
		if err != nil {
			return err
		}
		if err := c.take(int(size)); err != nil {
			return err
		}
		if _, err := c.answers.Discard(len("\r\n")); err != nil {
			return err
		}
		if size == 0 {
			return nil
		}
	}
}

// take appends n bytes to the body.
func (c *caller) take(n int) error {
	have := len(c.in)
	c.in = append(c.in, make([]byte, n)...)
	_, err := io.ReadFull(c.answers, c.in[have:])
	return err
}
