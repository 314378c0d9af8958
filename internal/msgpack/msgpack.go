// Package msgpack converts JSON texts to MessagePack (https://msgpack.org).
//
// The result has the shape of the text: null, booleans, strings, arrays and objects become nil,
// booleans, strings, arrays and maps, and the members of an object keep their order. MessagePack
// distinguishes integers from floating-point numbers; [FromJSON] says how a JSON number becomes one
// or the other. Timestamps, binary data and extensions are never used.
//
// The conversion reads the text once, token by token, and builds no tree. So it serves texts of
// any size and needs little memory besides the result.
package msgpack

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"sync"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/tinylib/msgp/msgp"
)

// maxScratch bounds the scratch of a reader in the pool, in bytes. A reader with a larger one is
// left to the garbage collector.
const maxScratch = 64 << 10

// reader has the memory for reading one text. It is used again for other texts.
type reader struct {
	text    bytes.Buffer
	json    jsontext.Decoder
	open    []int  // the indexes in the output of the headers of the open containers
	scratch []byte // a string whose escapes are resolved
}

var readers = sync.Pool{New: func() any { return new(reader) }}

// FromJSON appends the MessagePack of a JSON text to dst. Whole numbers that are written without
// fraction or exponent, and that fit into 64 bits, become the shortest integer. All other numbers
// become float64.
//
// It returns dst as it was and an error if the text is not exactly one JSON value, if an object has
// a key twice, if a string is not valid UTF-8, if a number is too large for float64, or if
// containers are nested more than 10,000 deep. It neither changes the text nor keeps a reference to
// it.
//
// The cost is linear in the text's length. The content of a container with 16 or more elements is
// moved by a few bytes once its length is known. Safe for concurrent use.
func FromJSON(dst, json []byte) ([]byte, error) {
	r, ok := readers.Get().(*reader)
	if !ok {
		panic("msgpack: the pool has something else than a reader")
	}
	r.text = *bytes.NewBuffer(json)
	r.json.Reset(&r.text)
	r.open = r.open[:0]
	out, err := r.convert(dst)
	r.text = bytes.Buffer{} // the text belongs to the caller
	r.json.Reset(&r.text)
	if cap(r.scratch) <= maxScratch {
		readers.Put(r)
	}
	if err != nil {
		return dst, fmt.Errorf("convert JSON to MessagePack: %w", err)
	}
	return out, nil
}

func (r *reader) convert(dst []byte) ([]byte, error) {
	for {
		var err error
		if dst, err = r.step(dst); err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
		if r.json.StackDepth() == 0 {
			break
		}
	}
	if _, err := r.json.ReadToken(); err == nil {
		return nil, errors.New("more data after the value")
	} else if !errors.Is(err, io.EOF) {
		return nil, err
	}
	return dst, nil
}

// step appends one value without children, or opens or closes one container.
func (r *reader) step(dst []byte) ([]byte, error) {
	switch r.json.PeekKind() {
	case jsontext.KindBeginObject, jsontext.KindBeginArray:
		if _, err := r.json.ReadToken(); err != nil {
			return nil, err
		}
		r.open = append(r.open, len(dst))
		return append(dst, 0), nil // stands for the header until the length is known
	case jsontext.KindEndObject, jsontext.KindEndArray:
		kind, n := r.json.StackIndex(r.json.StackDepth())
		if _, err := r.json.ReadToken(); err != nil {
			return nil, err
		}
		var space [5]byte
		header := msgp.AppendArrayHeader(space[:0], uint32(n))
		if kind == jsontext.KindBeginObject {
			header = msgp.AppendMapHeader(space[:0], uint32(n/2)) // n counts keys and values
		}
		last := len(r.open) - 1
		at := r.open[last]
		r.open = r.open[:last]
		return slices.Replace(dst, at, at+1, header...), nil
	}
	value, err := r.json.ReadValue()
	if err != nil {
		return nil, err
	}
	switch value.Kind() {
	case jsontext.KindString:
		return r.appendString(dst, value)
	case jsontext.KindNumber:
		return appendNumber(dst, value)
	case jsontext.KindNull:
		return msgp.AppendNil(dst), nil
	}
	return msgp.AppendBool(dst, value.Kind() == jsontext.KindTrue), nil
}

func (r *reader) appendString(dst, quoted []byte) ([]byte, error) {
	if bytes.IndexByte(quoted, '\\') < 0 {
		return msgp.AppendStringFromBytes(dst, quoted[1:len(quoted)-1]), nil
	}
	plain, err := jsontext.AppendUnquote(r.scratch[:0], quoted)
	if err != nil {
		return nil, err
	}
	r.scratch = plain
	return msgp.AppendStringFromBytes(dst, plain), nil
}

func appendNumber(dst, digits []byte) ([]byte, error) {
	if !bytes.ContainsAny(digits, ".eE") {
		if digits[0] == '-' {
			if n, err := strconv.ParseInt(string(digits), 10, 64); err == nil {
				return msgp.AppendInt64(dst, n), nil
			}
		} else if n, err := strconv.ParseUint(string(digits), 10, 64); err == nil {
			return msgp.AppendUint64(dst, n), nil
		}
	}
	f, err := strconv.ParseFloat(string(digits), 64)
	if err != nil {
		return nil, err
	}
	return msgp.AppendFloat64(dst, f), nil
}
