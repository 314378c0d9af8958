package sse

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"slices"
	"sync"
)

// A client's gzip stream is a header, then deflate blocks (RFC 1951), then a trailer.
// Each event is deflated once, for everybody, with an empty window, and ends on a
// byte boundary with an empty stored block, as zlib's sync flush does. So its
// bytes continue any client's stream, whatever events that got before.

// gzipHeader is that of RFC 1952, section 2.3: no name, no time, unknown system.
const gzipHeader = "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"

// emptyBlock is an empty stored block. Decoders that hold data back until a block
// has ended, as Go's does, give it out here.
const emptyBlock = "\x00\x00\x00\xff\xff"

// worthDeflating is the least size of an event that is deflated, in bytes. Below
// it the tables cost more than they save, and it is stored as it is.
const worthDeflating = 128

// deflaters are flate.Writers of the default level, 800 KB each while in use.
var deflaters = sync.Pool{New: func() any {
	w, err := flate.NewWriter(nil, flate.DefaultCompression)
	if err != nil {
		panic(err) // the level is one that there is
	}
	return w
}}

// appendTrailer appends what ends a gzip stream of that content: an empty block that says it
// is the last one, and the checksum.
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
		panic(err) // a buffer takes all
	}
	if err := w.Flush(); err != nil {
		panic(err)
	}
	return out.Bytes()
}

// The head of a block that is not compressed, in bytes, and the most that it holds.
const (
	storedHead = 5
	mostStored = 1<<16 - 1
)

// putStoredHead writes the head of such a block of n bytes.
func putStoredHead(b []byte, n int) {
	b[0] = 0
	binary.LittleEndian.PutUint16(b[1:], uint16(n))
	binary.LittleEndian.PutUint16(b[3:], ^uint16(n))
}

// appendStored appends plain as blocks that are not compressed.
func appendStored(dst, plain []byte) []byte {
	for piece := range slices.Chunk(plain, mostStored) {
		dst = append(dst, make([]byte, storedHead)...)
		putStoredHead(dst[len(dst)-storedHead:], len(piece))
		dst = append(dst, piece...)
	}
	return append(dst, emptyBlock...)
}
