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

// charset is how the characters of an input are encoded.
type charset uint8

const (
	inUTF8 charset = iota
	inUTF16LE
	inUTF16BE
	inUTF32
	inWindows1252
)

var boms = []struct {
	mark string
	charset
}{
	{"\xef\xbb\xbf", inUTF8},
	{"\xff\xfe\x00\x00", inUTF32},
	{"\x00\x00\xfe\xff", inUTF32},
	{"\xff\xfe", inUTF16LE},
	{"\xfe\xff", inUTF16BE},
}

// encodings finds out how an input is encoded, from all of its bytes.
type encodings struct {
	start   []byte // of the input, up to a block
	carried []byte // the beginning of a character that goes on in the next block
	good    int64  // characters of more than one byte that are valid UTF-8
	bad     int64  // bytes that are not
}

// add takes the next block of the input, which must not be kept.
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

// found returns the encoding, and how many bytes mark it at the beginning. Without a mark,
// UTF-16 shows by the zeros beside the Latin letters of the first line. What is not UTF-8
// is taken for Windows-1252, unless more characters are UTF-8 than are not: then it is
// UTF-8 with faults.
func (e *encodings) found() (charset, int) {
	for _, m := range boms {
		if bytes.HasPrefix(e.start, []byte(m.mark)) {
			return m.charset, len(m.mark)
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

// decoded returns the input, from behind its mark, in UTF-8. Where a character can't be
// read, there is U+FFFD instead; invalid UTF-8 is left as it is.
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

// lineEnds is a transformer that writes the line ends of Windows, and of old Macs, as line
// feeds.
type lineEnds struct {
	transform.NopResetter

	wasCR bool // the last byte was a carriage return, and is written as a line feed already
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
