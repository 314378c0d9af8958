package transfer

import (
	"bytes"
	"fmt"
	"io"

	"golang.org/x/text/transform"
)

// text is an input with its encoding and format.
type text struct {
	*source

	charset charset
	bom     int64 // length of the byte order mark
	format  string
}

// look reads the input for the first time and finds out its encoding and format.
func look(src *source, opts Options) (*text, error) {
	var e encodings
	if err := src.look(e.add); err != nil {
		return nil, err
	}
	t := &text{source: src, format: opts.Format}
	var bom int
	t.charset, bom = e.found()
	t.bom = int64(bom)
	if t.format == "" {
		start, err := io.ReadAll(t.charset.decoded(bytes.NewReader(e.start[bom:])))
		if err != nil {
			return nil, fmt.Errorf("decode the input: %w", err)
		}
		t.format = formatOf(start)
	}
	switch {
	case t.charset == inUTF32:
		return nil, &InputError{1, "", "is in UTF-32; save the file as UTF-8"}
	case t.charset == inWindows1252 && t.format == JSONL:
		t.charset = inUTF8 // JSON has to be UTF-8, so lines that are not are faults
	case t.charset == inWindows1252:
		opts.Notice("is not UTF-8, so it is read as Windows-1252, the encoding of older spreadsheets; if letters come out wrong, save it as UTF-8")
	}
	return t, nil
}

// again returns a reader of the input's records, from the beginning, and the faults of the first
// line.
func (t *text) again() (reader, []*InputError, error) {
	in, err := t.source.again()
	if err == nil {
		_, err = io.CopyN(io.Discard, in, t.bom)
	}
	if err != nil {
		return nil, nil, err
	}
	lines := transform.NewReader(t.charset.decoded(in), new(lineEnds))
	return newReader(lines, t.format, t.charset != inUTF8)
}
