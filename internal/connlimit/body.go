package connlimit

import "io"

// body notices when the body of a request is there.
type body struct {
	io.ReadCloser

	req *request // nil once it is there
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF && b.req != nil {
		b.req.guard.received(b.req)
		b.req = nil
	}
	return n, err
}
