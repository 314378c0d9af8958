package transfer

import (
	"bytes"
	"io"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// charset is an encoding of characters.
type charset uint8

const (
	inUTF8 charset = iota
	inUTF16LE
	inUTF16BE
	inUTF32
	inWindows1252
)

// boms are the byte order marks with which an input may begin. The mark of UTF-32 begins with that
// of UTF-16, so UTF-32 comes first.
var boms = []struct {
	bytes string
	charset
}{
	{"\xef\xbb\xbf", inUTF8},
	{"\xff\xfe\x00\x00", inUTF32},
	{"\x00\x00\xfe\xff", inUTF32},
	{"\xff\xfe", inUTF16LE},
	{"\xfe\xff", inUTF16BE},
}

// encodings finds out how an input is encoded. It has to see all bytes of the input.
type encodings struct {
	start   []byte // the first block
	carried []byte // the beginning of a character whose rest is in the next block
	good    int64  // valid UTF-8 characters of more than one byte
	bad     int64  // bytes that are not valid UTF-8
}

// add looks at the next block of the input. It does not retain the block.
func (e *encodings) add(block []byte) {
	if e.start == nil {
		e.start = bytes.Clone(block)
	}
	b := append(e.carried, block...)
	for len(b) > 0 {
		if b[0] < utf8.RuneSelf {
			b = b[1:]
			continue
		}
		if !utf8.FullRune(b) {
			break
		}
		r, n := utf8.DecodeRune(b)
		if r == utf8.RuneError && n == 1 {
			e.bad++
		} else {
			e.good++
		}
		b = b[n:]
	}
	e.carried = append(e.carried[:0], b...)
}

// found returns the encoding and the length of the byte order mark. If there is none, zeros between
// the Latin letters of the first line show UTF-16. An input with more invalid bytes than valid
// UTF-8 characters is taken for Windows-1252; one with fewer is UTF-8 with faults.
func (e *encodings) found() (charset, int) {
	for _, m := range boms {
		if bytes.HasPrefix(e.start, []byte(m.bytes)) {
			return m.charset, len(m.bytes)
		}
	}
	if s := e.start; len(s) >= 4 {
		switch {
		case s[0] != 0 && s[1] == 0 && s[2] != 0 && s[3] == 0:
			return inUTF16LE, 0
		case s[0] == 0 && s[1] != 0 && s[2] == 0 && s[3] != 0:
			return inUTF16BE, 0
		}
	}
	if bad := e.bad + int64(len(e.carried)); bad > e.good {
		return inWindows1252, 0
	}
	return inUTF8, 0
}

// decoded returns the input in UTF-8; in begins after the byte order mark. U+FFFD replaces a
// character that can't be decoded. Invalid UTF-8 stays as it is.
func (c charset) decoded(in io.Reader) io.Reader {
	var of encoding.Encoding
	switch c {
	case inUTF16LE:
		of = unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM)
	case inUTF16BE:
		of = unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM)
	case inWindows1252:
		of = charmap.Windows1252
	default:
		return in
	}
	return transform.NewReader(in, of.NewDecoder())
}

// lineEnds is a transformer that turns the line ends of Windows and of old Macs into line feeds.
type lineEnds struct {
	transform.NopResetter

	wasCR bool // the last byte was a carriage return, and a line feed was written for it
}

// Transform implements transform.Transformer.
func (l *lineEnds) Transform(dst, src []byte, _ bool) (written, read int, err error) {
	for _, b := range src {
		if b == '\n' && l.wasCR {
			l.wasCR = false
			read++
			continue
		}
		if written == len(dst) {
			return written, read, transform.ErrShortDst
		}
		if l.wasCR = b == '\r'; l.wasCR {
			b = '\n'
		}
		dst[written] = b
		written++
		read++
	}
	return written, read, nil
}
