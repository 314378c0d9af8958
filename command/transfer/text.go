package transfer

import (
	"bytes"
	"fmt"
	"io"

	"golang.org/x/text/transform"
)

// text is an input whose encoding and format are known.
type text struct {
	*source

	charset charset
	mark    int64 // bytes at the beginning that say the encoding
	format  string
}

// look reads the input for the first time, and finds out how it is written.
func look(src *source, opts Options) (*text, error) {
	var e encodings
	if err := src.look(e.add); err != nil {
		return nil, err
	}
	t := &text{source: src, format: opts.Format}
	var mark int
	t.charset, mark = e.found()
	t.mark = int64(mark)
	if t.format == "" {
		start, err := io.ReadAll(t.charset.decoded(bytes.NewReader(e.start[mark:])))
		if err != nil {
			return nil, fmt.Errorf("decode the input: %w", err)
		}
		t.format = formatOf(start)
	}
	switch {
	case t.charset == inUTF32:
		return nil, &InputError{1, "", "is in UTF-32; save the file as UTF-8"}
	case t.charset == inWindows1252 && t.format == JSONL:
		t.charset = inUTF8 // as JSON has to be; the lines that are not are named
	case t.charset == inWindows1252:
		opts.Notice("is not UTF-8, so it is read as Windows-1252, as older spreadsheets save it; save it as UTF-8 if letters come out wrong")
	}
	return t, nil
}

// again returns a reader of the input's records, from the first, and what is wrong with the
// first line.
func (t *text) again() (reader, []*InputError, error) {
	in, err := t.source.again()
	if err == nil {
		_, err = io.CopyN(io.Discard, in, t.mark)
	}
	if err != nil {
		return nil, nil, err
	}
	lines := transform.NewReader(t.charset.decoded(in), new(lineEnds))
	return newReader(lines, t.format, t.charset != inUTF8)
}
