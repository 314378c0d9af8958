package sse

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"slices"
	"sync"
)

// A client's gzip stream is a header, deflate blocks (RFC 1951) and a trailer. Each event is
// deflated once for all clients, without reference to earlier events. It ends on a byte boundary
// with an empty stored block, like the output of zlib's sync flush. So the same bytes continue any
// client's stream, whatever the client got before.

// gzipHeader is the header of RFC 1952, section 2.3: no name, no time, unknown system.
const gzipHeader = "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"

// emptyBlock is an empty stored block. Some decoders, Go's among them, hold data back until its
// block has ended. This block makes them hand the data out.
const emptyBlock = "\x00\x00\x00\xff\xff"

// worthDeflating is the least size of an event that is deflated, in bytes. Shorter events are
// stored, because deflate's tables would cost more than they save.
const worthDeflating = 128

// deflaters are flate.Writers of the default level. Each takes 800 KB while in use.
var deflaters = sync.Pool{New: func() any {
	w, err := flate.NewWriter(nil, flate.DefaultCompression)
	if err != nil {
		panic(err) // the level is valid
	}
	return w
}}

// appendTrailer appends the end of a gzip stream: an empty block that is flagged as the last one,
// and the checksum of the whole content.
func appendTrailer(dst []byte, of checksum) []byte {
	dst = append(dst, "\x01\x00\x00\xff\xff"...)
	dst = binary.LittleEndian.AppendUint32(dst, of.crc)
	return binary.LittleEndian.AppendUint32(dst, of.size)
}

// appendDeflated appends plain, an event, as blocks.
func appendDeflated(dst, plain []byte) []byte {
	if len(plain) < worthDeflating {
		return appendStored(dst, plain)
	}
	out := bytes.NewBuffer(dst)
	w := deflaters.Get().(*flate.Writer) //nolint:errcheck // nothing else is in the pool
	defer deflaters.Put(w)
	w.Reset(out)
	if _, err := w.Write(plain); err != nil {
		panic(err) // writes to a bytes.Buffer don't fail
	}
	if err := w.Flush(); err != nil {
		panic(err)
	}
	return out.Bytes()
}

// The sizes of a stored block: its head, and the most data that it has, in bytes.
const (
	storedHead = 5
	mostStored = 1<<16 - 1
)

// putStoredHead writes the head of a stored block with n bytes of data.
func putStoredHead(b []byte, n int) {
	b[0] = 0
	binary.LittleEndian.PutUint16(b[1:], uint16(n))
	binary.LittleEndian.PutUint16(b[3:], ^uint16(n))
}

// appendStored appends plain as stored blocks, which are not compressed.
func appendStored(dst, plain []byte) []byte {
	for piece := range slices.Chunk(plain, mostStored) {
		dst = append(dst, make([]byte, storedHead)...)
		putStoredHead(dst[len(dst)-storedHead:], len(piece))
		dst = append(dst, piece...)
	}
	return append(dst, emptyBlock...)
}
