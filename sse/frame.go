package sse

import (
	"bytes"
	"hash/crc32"
	"slices"
	"strconv"
)

// frame is a part of a stream's body. Many clients share it, so it never changes. It is kept
// as a chunk of HTTP/1.1 (RFC 9112, section 7.1): the size, a line end, the bytes, a line end.
// Without the first line and the last line end it is the same for clients that get no chunks.
type frame struct {
	chunk []byte
	sum   checksum // of what gzip packs
	shift uint32   // x to the power of 8 sum.size; see checksum.add
}

// sizeRoom is room for the size of a chunk, eight hexadecimal digits at most, and its line end.
const sizeRoom = 8 + 2

// lastChunk ends a body that is sent in chunks.
const lastChunk = "0\r\n\r\n"

// pack returns text, behind room for the size of a chunk, as a frame. With Gzip prefix stands
// before the packed text, which is deflated or just stored.
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

// chunkOf returns the bytes of b behind sizeRoom as a chunk, in place.
func chunkOf(b []byte) []byte {
	from := putSize(b, len(b)-sizeRoom)
	return append(b, "\r\n"...)[from:]
}

// putSize writes a chunk's size to the end of the room for it, and returns where it begins. No
// leading zeros: there are clients that take them for the last chunk.
func putSize(b []byte, n int) (from int) {
	var line [sizeRoom]byte
	size := append(strconv.AppendInt(line[:0], int64(n), 16), "\r\n"...)
	from = sizeRoom - len(size)
	copy(b[from:], size)
	return from
}

// plain returns the frame's bytes for a body that is not sent in chunks.
func (f frame) plain() []byte {
	return f.chunk[bytes.IndexByte(f.chunk, '\n')+1 : len(f.chunk)-2]
}

// checksum is what the end of a gzip file says of its content.
type checksum struct {
	crc  uint32 // CRC-32
	size uint32 // modulo 2^32
}

func checksumOf(text []byte) checksum {
	return checksum{crc32.ChecksumIEEE(text), uint32(len(text))}
}

// add makes c the checksum of what it was of and the frame's content behind it, without
// looking at either. A CRC is the remainder of a polynomial over GF(2): content of n bytes
// behind it multiplies it by x to the power of 8n. O(1), some 50 ns.
func (c *checksum) add(f frame) { c.append(f.sum, f.shift) }

// addText is add for text that is no frame.
func (c *checksum) addText(text []byte) {
	of := checksumOf(text)
	c.append(of, of.shift())
}

func (c *checksum) append(of checksum, shift uint32) {
	c.crc = multiply(shift, c.crc) ^ of.crc
	c.size += of.size
}

// shift is x to the power of 8 size.
func (c checksum) shift() uint32 {
	if c.size < uint32(len(shifts)) {
		return shifts[c.size]
	}
	return power(8 * uint64(c.size))
}

// shifts are those of short content: each client has ids of its own.
var shifts = func() (all [256]uint32) {
	all[0] = power(0)
	for i := range len(all) - 1 {
		all[i+1] = multiply(all[i], power(8))
	}
	return all
}()

// multiply is the product of two polynomials modulo that of CRC-32. The highest bit is the
// coefficient of x to the power of 0.
func multiply(a, b uint32) (product uint32) {
	for ; a != 0; a <<= 1 {
		if a>>31 != 0 {
			product ^= b
		}
		b = b>>1 ^ b&1*crc32.IEEE
	}
	return product
}

// power is x to the power of n, modulo that of CRC-32.
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

// put appends the frame to batch, as the client gets it. All that is put has to be sent, in
// that order.
func (s *subscriber) put(batch [][]byte, f frame) [][]byte { return append(batch, s.wire(f)) }

// room is where a goroutine that writes streams makes what is one client's own. It is used
// again for the next client, so kept copies what a client has not taken by then.
type scratch struct {
	chunk []byte
	tag   []byte // of the id
}

// kept returns the pieces of a batch for later.
func (r *scratch) stable(pieces [][]byte) [][]byte {
	pieces = slices.Clone(pieces)
	for i, b := range pieces {
		if c := r.chunk[:cap(r.chunk)]; cap(b) > 0 && len(c) > 0 && &b[:cap(b)][cap(b)-1] == &c[len(c)-1] {
			pieces[i] = bytes.Clone(b) // both end where the memory does
		}
	}
	return pieces
}

// copied is up to how many bytes of a shared frame are copied to stand beside the client's id:
// the kernel takes one short piece with less work than three.
const maxCopied = 2 << 10

// putWithID is put for a frame that has no end yet: that of its event, with the client's own id.
// Both are one chunk, since some readers take a chunk for an event.
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

// appendIDField appends the client's id, and the end of its event.
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

// wire returns the frame as the client gets it, and notes that it does.
func (s *subscriber) wire(f frame) []byte {
	if s.format&Gzip != 0 {
		s.sum.add(f)
	}
	if s.chunked {
		return f.chunk
	}
	return f.plain()
}

// ending returns what tells the client that the stream has ended and was not cut off. Nothing
// may be sent after it.
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
