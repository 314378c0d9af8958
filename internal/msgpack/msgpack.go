// Package msgpack says in MessagePack what was said in JSON.
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

// maxScratch bounds what a reader keeps for the next text.
const maxScratch = 64 << 10

// reader has what reading one text needs, to be used again for others.
type reader struct {
	text    bytes.Buffer
	json    jsontext.Decoder
	open    []int  // where the headers of the containers around stand in the output
	scratch []byte // a string without its escapes
}

var readers = sync.Pool{New: func() any { return new(reader) }}

// FromJSON appends the MessagePack of a JSON text to dst: the same shape, keys
// in the same order. Whole numbers, written without fraction or exponent, become
// the smallest format of an integer where they fit 64 bits; all others are
// float64. It neither keeps nor changes the text. Errors leave dst as it was:
// what is not one JSON value, a key twice in an object, bytes that are not
// UTF-8, numbers beyond float64, and containers more than 10,000 deep.
//
// The cost is one pass. What is in a container of 16 or more is moved by a few
// bytes when that is known. Safe for concurrent use.
func FromJSON(dst, json []byte) ([]byte, error) {
	r, ok := readers.Get().(*reader)
	if !ok {
		panic("msgpack: a stranger in the pool")
	}
	r.text = *bytes.NewBuffer(json)
	r.json.Reset(&r.text)
	r.open = r.open[:0]
	out, err := r.convert(dst)
	r.text = bytes.Buffer{} // the text is the caller's
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
		return nil, errors.New("there is something after the value")
	} else if !errors.Is(err, io.EOF) {
		return nil, err
	}
	return dst, nil
}

// step appends one value, or one end of a container.
func (r *reader) step(dst []byte) ([]byte, error) {
	switch r.json.PeekKind() {
	case jsontext.KindBeginObject, jsontext.KindBeginArray:
		if _, err := r.json.ReadToken(); err != nil {
			return nil, err
		}
		r.open = append(r.open, len(dst))
		return append(dst, 0), nil // a header's first byte, as long as its length is not known
	case jsontext.KindEndObject, jsontext.KindEndArray:
		kind, n := r.json.StackIndex(r.json.StackDepth())
		if _, err := r.json.ReadToken(); err != nil {
			return nil, err
		}
		var room [5]byte
		header := msgp.AppendArrayHeader(room[:0], uint32(n))
		if kind == jsontext.KindBeginObject {
			header = msgp.AppendMapHeader(room[:0], uint32(n/2)) // keys and values were counted
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
