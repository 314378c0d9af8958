package transfer

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// The formats of files.
const (
	JSONL = "jsonl" // a JSON object on each line
	CSV   = "csv"   // RFC 4180, with the fields' names in the first line
)

// maxLine is the most bytes of a line of JSON or a row of CSV.
const maxLine = 2 << 20

// reader reads records.
type reader interface {
	// next reads the next record. It returns the record's line and its faults, or io.EOF at the
	// end. After any other error the input can't be read.
	next(r *record) (line int, wrong []*InputError, err error)
}

// newReader returns a reader of the format, and the faults of a first line that names columns. The
// input is UTF-8 with line feeds. lossy says that U+FFFD stands for characters that could not be
// decoded.
func newReader(r io.Reader, format string, lossy bool) (reader, []*InputError, error) {
	in := bufio.NewReaderSize(r, 64<<10)
	before := 0
	start, err := in.Peek(1)
	for err == nil && bytes.Equal(start, []byte("\n")) {
		before++
		_, _ = in.Discard(1)
		start, err = in.Peek(1)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, nil, err
	}
	if format == CSV {
		c, wrong, err := newCSVReader(in, before)
		c.lossy = lossy
		return c, wrong, err
	}
	return &jsonReader{in: in, line: before}, nil, nil
}

// formatOf guesses the format from the beginning of an input.
func formatOf(start []byte) string {
	if bytes.HasPrefix(bytes.TrimLeft(start, " \t\r\n"), []byte("{")) {
		return JSONL
	}
	return CSV
}

// jsonReader reads JSON Lines.
type jsonReader struct {
	in   *bufio.Reader
	line int
	long []byte // the line, reused
}

func (j *jsonReader) next(r *record) (line int, wrong []*InputError, err error) {
	for {
		b, err := j.readLine()
		*r = record{}
		if errors.Is(err, errLongLine) {
			r.unread = true
			return j.line, []*InputError{{j.line, "", fmt.Sprintf("is longer than %d bytes; write one record on each line", maxLine)}}, nil
		}
		if err != nil {
			return j.line, nil, err
		}
		if b = bytes.TrimSpace(b); len(b) == 0 {
			continue
		}
		if err := json.Unmarshal(b, r, json.RejectUnknownMembers(true)); err != nil {
			*r = record{unread: true}
			return j.line, []*InputError{jsonError(j.line, err)}, nil
		}
		return j.line, nil, nil
	}
}

var errLongLine = errors.New("a line is too long")

// readLine returns the next line, which is valid until the next call. It skips a line that is too
// long and returns errLongLine.
func (j *jsonReader) readLine() ([]byte, error) {
	j.line++
	j.long = j.long[:0]
	for length := 0; ; {
		b, err := j.in.ReadSlice('\n')
		if length += len(b); length <= maxLine {
			j.long = append(j.long, b...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err != nil && (!errors.Is(err, io.EOF) || length == 0):
			return nil, err
		case length > maxLine:
			return nil, errLongLine
		}
		return j.long, nil
	}
}

// jsonError turns an error of the JSON package into a fault of the line.
func jsonError(line int, err error) *InputError {
	if semantic, ok := errors.AsType[*json.SemanticError](err); ok {
		name := strings.ReplaceAll(strings.TrimPrefix(string(semantic.JSONPointer), "/"), "/", ".")
		if errors.Is(err, json.ErrUnknownName) {
			return &InputError{line, name, "is not a field; the fields are " + names()}
		}
		return &InputError{line, name, expected(semantic.GoType)}
	}
	if syntactic, ok := errors.AsType[*jsontext.SyntacticError](err); ok && errors.Is(err, jsontext.ErrDuplicateName) {
		return &InputError{line, strings.TrimPrefix(string(syntactic.JSONPointer), "/"), "is there twice; give it once"}
	}
	message := strings.ReplaceAll(strings.TrimPrefix(err.Error(), "jsontext: "), "\n", " ")
	return &InputError{line, "", "is not one JSON object: " + message}
}

func expected(t reflect.Type) string {
	switch {
	case t == nil:
		return "has the wrong type"
	case t.Kind() == reflect.Int64:
		return wholeNumber
	case t.Kind() == reflect.Bool:
		return "has to be true or false"
	case t.Kind() == reflect.String:
		return "has to be a text, in quotes"
	case t == reflect.TypeFor[record]():
		return "has to be a JSON object"
	}
	return `has to be an object of lists of texts, as in {"school":["42"]}`
}

// recordWriter writes records.
type recordWriter interface {
	write(r *record) error
	flush() error
}

func newWriter(w io.Writer, format string) (recordWriter, error) {
	out := bufio.NewWriterSize(w, 64<<10)
	if format == CSV {
		return newCSVWriter(out)
	}
	return &jsonWriter{out}, nil
}

type jsonWriter struct{ out *bufio.Writer }

func (j *jsonWriter) write(r *record) error {
	b, err := json.Marshal(r, json.Deterministic(true))
	if err != nil {
		return err
	}
	_, err = j.out.Write(append(b, '\n'))
	return err
}

func (j *jsonWriter) flush() error { return j.out.Flush() }
