package sse

import (
	"bytes"
	"hash/crc32"
	"slices"
	"strconv"
)

// frame is a part of a stream's body, usually one event. Many clients share it, so it never
// changes. It is stored as a chunk of HTTP/1.1 (RFC 9112, section 7.1): the size, a line end, the
// bytes, a line end. Clients without chunks get only the bytes in the middle.
type frame struct {
	chunk []byte
	sum   checksum // of the text before it was packed, with Gzip
	shift uint32   // x to the power of 8·sum.size; see checksum.add
}

// sizeRoom is the most that a chunk's size takes: eight hexadecimal digits and a line end.
const sizeRoom = 8 + 2

// lastChunk ends a body that is sent in chunks.
const lastChunk = "0\r\n\r\n"

// pack returns a frame of text, whose first sizeRoom bytes are unused. With Gzip, the frame holds
// prefix and then the packed text, which is deflated or only stored.
func (f Format) pack(text []byte, prefix string, deflate bool) frame {
	if f&Gzip == 0 {
		return frame{chunk: chunkOf(text)}
	}
	plain := text[sizeRoom:]
	packed := append(make([]byte, sizeRoom, sizeRoom+len(prefix)+len(plain)/4+256), prefix...)
	if deflate {
		packed = appendDeflated(packed, plain)
	} else {
		packed = appendStored(packed, plain)
	}
	sum := checksumOf(plain)
	return frame{chunk: chunkOf(packed), sum: sum, shift: sum.shift()}
}

// chunkOf makes b, whose first sizeRoom bytes are unused, a chunk. It works in b's memory.
func chunkOf(b []byte) []byte {
	from := putSize(b, len(b)-sizeRoom)
	return append(b, "\r\n"...)[from:]
}

// putSize writes a chunk's size into b, so that it ends at sizeRoom, and returns the index at which
// it begins. It writes no leading zeros, because some clients take them for the last chunk.
func putSize(b []byte, n int) (from int) {
	var line [sizeRoom]byte
	size := append(strconv.AppendInt(line[:0], int64(n), 16), "\r\n"...)
	from = sizeRoom - len(size)
	copy(b[from:], size)
	return from
}

// plain returns the frame's bytes without the chunk around them.
func (f frame) plain() []byte {
	return f.chunk[bytes.IndexByte(f.chunk, '\n')+1 : len(f.chunk)-2]
}

// put appends the frame to batch, in the form that the client gets. The batch must be sent whole
// and in that order.
func (s *subscriber) put(batch [][]byte, f frame) [][]byte { return append(batch, s.wire(f)) }

// wire returns the frame in the form that the client gets, and counts it in the checksum.
func (s *subscriber) wire(f frame) []byte {
	if s.format&Gzip != 0 {
		s.sum.add(f)
	}
	if s.chunked {
		return f.chunk
	}
	return f.plain()
}

// scratch is memory in which a writer's goroutine encodes the bytes that one client alone gets. It
// is used again for the next client.
type scratch struct {
	chunk []byte
	tag   []byte // of an id
}

// stable returns the pieces of a batch in memory that stays as it is: pieces in the scratch are
// copied, shared ones are not.
func (r *scratch) stable(pieces [][]byte) [][]byte {
	pieces = slices.Clone(pieces)
	for i, b := range pieces {
		c := r.chunk[:cap(r.chunk)]
		if cap(b) > 0 && len(c) > 0 && &b[:cap(b)][cap(b)-1] == &c[len(c)-1] {
			pieces[i] = bytes.Clone(b) // it ends where the scratch ends, so it lies in the scratch
		}
	}
	return pieces
}

// maxCopied is the largest shared frame that is copied in front of a client's id, in bytes. One
// short piece costs the kernel less work than three.
const maxCopied = 2 << 10

// putWithID appends to batch an open frame and the client's own id, which ends the event. Both
// share one chunk, because some readers take a chunk for an event.
func (s *subscriber) putWithID(batch [][]byte, f frame, r *scratch) [][]byte {
	shared := f.plain()
	b := append(r.chunk[:0], make([]byte, sizeRoom)...)
	if len(shared) <= maxCopied {
		b = append(b, shared...)
	}
	if s.format&Gzip != 0 {
		s.sum.add(f)
	}
	b = append(s.appendIDField(b, r), "\r\n"...)
	r.chunk = b
	from, to := sizeRoom, len(b)-len("\r\n")
	size := to - from
	if len(shared) > maxCopied {
		size += len(shared)
	}
	if s.chunked {
		from, to = putSize(b, size), len(b)
	}
	switch {
	case len(shared) <= maxCopied:
		return append(batch, b[from:to])
	case s.chunked:
		return append(batch, b[from:sizeRoom], shared, b[sizeRoom:to])
	default:
		return append(batch, shared, b[sizeRoom:to])
	}
}

// appendIDField appends the client's id and the empty line that ends its event.
func (s *subscriber) appendIDField(b []byte, r *scratch) []byte {
	head := len(b)
	if s.format&Gzip != 0 {
		b = append(b, make([]byte, storedHead)...)
	}
	from := len(b)
	b = append(s.appendID(append(b, "id: "...), r), "\n\n"...)
	if s.format&Gzip != 0 {
		s.sum.addText(b[from:])
		putStoredHead(b[head:], len(b)-from)
		b = append(b, emptyBlock...)
	}
	return b
}

// trailer returns the bytes that tell the client that the stream has ended and was not cut off:
// gzip's trailer and the last chunk. Nothing may be sent after it.
func (s *subscriber) trailer() (end []byte) {
	if s.format&Gzip != 0 {
		trailer := frame{chunk: chunkOf(appendTrailer(make([]byte, sizeRoom), s.sum))}
		end = trailer.plain()
		if s.chunked {
			end = trailer.chunk
		}
	}
	if s.chunked {
		end = append(end, lastChunk...)
	}
	return end
}

// checksum is what a gzip file's trailer says about the file's content.
type checksum struct {
	crc  uint32 // CRC-32
	size uint32 // modulo 2^32
}

func checksumOf(text []byte) checksum {
	return checksum{crc32.ChecksumIEEE(text), uint32(len(text))}
}

// add extends c by the content of the frame, without looking at any content. A CRC is the
// remainder of a polynomial over GF(2), and n more bytes multiply that polynomial by x to the power
// of 8n. O(1), some 50 ns.
func (c *checksum) add(f frame) { c.append(f.sum, f.shift) }

// addText extends c by text that is not in a frame.
func (c *checksum) addText(text []byte) {
	of := checksumOf(text)
	c.append(of, of.shift())
}

func (c *checksum) append(of checksum, shift uint32) {
	c.crc = multiply(shift, c.crc) ^ of.crc
	c.size += of.size
}

// shift returns x to the power of 8·size.
func (c checksum) shift() uint32 {
	if c.size < uint32(len(shifts)) {
		return shifts[c.size]
	}
	return power(8 * uint64(c.size))
}

// shifts are the shifts of short texts. Each client's ids need one.
var shifts = func() (all [256]uint32) {
	all[0] = power(0)
	for i := range len(all) - 1 {
		all[i+1] = multiply(all[i], power(8))
	}
	return all
}()

// multiply returns the product of two polynomials, modulo the polynomial of CRC-32. The highest bit
// is the coefficient of x to the power of 0.
func multiply(a, b uint32) (product uint32) {
	for ; a != 0; a <<= 1 {
		if a>>31 != 0 {
			product ^= b
		}
		b = b>>1 ^ b&1*crc32.IEEE
	}
	return product
}

// power returns x to the power of n, modulo the polynomial of CRC-32.
func power(n uint64) uint32 {
	result, square := uint32(1)<<31, uint32(1)<<30
	for ; n > 0; n >>= 1 {
		if n&1 != 0 {
			result = multiply(square, result)
		}
		square = multiply(square, square)
	}
	return result
}
