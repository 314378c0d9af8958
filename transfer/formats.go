package transfer

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// The formats.
const (
	JSONL = "jsonl" // a JSON object on each line
	CSV   = "csv"   // RFC 4180, with the fields' names in the first line
)

// maxLine bounds a line of JSON, and a row of CSV, in bytes.
const maxLine = 2 << 20

var bom = []byte("\ufeff")

// reader reads records.
type reader interface {
	// next reads the next record and returns the line that it is on, or io.EOF.
	next(r *record) (line int, err error)
}

// newReader returns the reader of the format; where that is empty, of the one that the
// input looks like.
func newReader(r io.Reader, format string) (reader, error) {
	in := bufio.NewReaderSize(r, 64<<10)
	if start, err := in.Peek(len(bom)); err == nil && bytes.Equal(start, bom) {
		_, _ = in.Discard(len(bom)) // they are there
	}
	if format == "" {
		start, err := in.Peek(1)
		for err == nil && strings.Contains(" \t\r\n", string(start)) {
			_, _ = in.Discard(1)
			start, err = in.Peek(1)
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		if format = CSV; bytes.Equal(start, []byte("{")) {
			format = JSONL
		}
	}
	if format == CSV {
		return newCSVReader(in)
	}
	return &jsonReader{in: in}, nil
}

// jsonReader reads JSON Lines.
type jsonReader struct {
	in   *bufio.Reader
	line int
	long []byte // a line that is longer than in's buffer
}

func (j *jsonReader) next(r *record) (int, error) {
	for {
		b, err := j.readLine()
		if err != nil {
			return j.line, err
		}
		if b = bytes.TrimSpace(b); len(b) == 0 {
			continue
		}
		*r = record{}
		if err := json.Unmarshal(b, r, json.RejectUnknownMembers(true)); err != nil {
			return j.line, jsonError(j.line, err)
		}
		return j.line, nil
	}
}

// readLine returns the next line, which is j's until the next call.
func (j *jsonReader) readLine() ([]byte, error) {
	j.line++
	j.long = j.long[:0]
	for {
		b, err := j.in.ReadSlice('\n')
		if len(j.long)+len(b) > maxLine {
			return nil, &InputError{j.line, "", fmt.Sprintf("is longer than %d bytes; one record goes on each line", maxLine)}
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			j.long = append(j.long, b...)
			continue
		case errors.Is(err, io.EOF) && len(j.long)+len(b) > 0:
			err = nil
		}
		if err != nil || len(j.long) == 0 {
			return b, err
		}
		j.long = append(j.long, b...)
		return j.long, nil
	}
}

// jsonError words what is wrong with a line.
func jsonError(line int, err error) error {
	if semantic, ok := errors.AsType[*json.SemanticError](err); ok {
		name := strings.ReplaceAll(strings.TrimPrefix(string(semantic.JSONPointer), "/"), "/", ".")
		if errors.Is(err, json.ErrUnknownName) {
			return &InputError{line, name, "is not a field; there are " + names()}
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
		return "is not what it has to be"
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

// csvReader reads CSV.
type csvReader struct {
	in      *csv.Reader
	limited *rowLimit
	columns []*field // nil for the type
	line    int      // on which the last row began
}

func newCSVReader(in *bufio.Reader) (*csvReader, error) {
	limited := &rowLimit{in: in}
	c := &csvReader{in: csv.NewReader(limited), limited: limited}
	c.in.ReuseRecord = true
	// In much of the world spreadsheets put semicolons.
	if start := firstLine(in); !bytes.Contains(start, []byte(",")) && bytes.Contains(start, []byte(";")) {
		c.in.Comma = ';'
	}
	header, line, err := c.row()
	if err != nil {
		return c, err
	}
	for _, name := range header {
		name = strings.TrimSpace(name)
		if name == "type" {
			c.columns = append(c.columns, nil)
			continue
		}
		i := slices.IndexFunc(fields, func(f field) bool { return f.name == name })
		if i < 0 {
			return c, &InputError{line, strings.Trim(strconv.Quote(name), `"`), "is not the name of a column; the first line has to name them, and there are " + names()}
		}
		if slices.Contains(c.columns, &fields[i]) {
			return c, &InputError{line, name, "is there twice; give each column once"}
		}
		c.columns = append(c.columns, &fields[i])
	}
	return c, nil
}

// firstLine returns the first line, or as much of it as in's buffer has room for. It is
// read on only when more is needed: a pipe may give it in parts.
func firstLine(in *bufio.Reader) []byte {
	for n := 1; ; n = in.Buffered() + 1 {
		start, err := in.Peek(n)
		if err == nil {
			start, _ = in.Peek(in.Buffered()) // it is there
		}
		if line, _, whole := bytes.Cut(start, []byte("\n")); whole || err != nil {
			return line
		}
	}
}

func (c *csvReader) next(r *record) (int, error) {
	for {
		row, line, err := c.row()
		if err != nil {
			return line, err
		}
		*r = record{}
		empty := true
		for i, cell := range row {
			if cell == "" {
				continue
			}
			empty = false
			f := c.columns[i]
			if f == nil {
				r.Type = cell
				continue
			}
			if f.text {
				cell = unescape(strings.Clone(cell)) // else it keeps the whole row
			}
			if wrong := f.set(r, cell); wrong != "" {
				at, _ := c.in.FieldPos(i)
				return at, &InputError{at, f.name, wrong}
			}
		}
		if !empty {
			c.setEmpty(r, row)
			return line, nil
		}
	}
}

// setEmpty gives a user the values of empty cells. Other records have nothing in the columns
// of a user.
func (c *csvReader) setEmpty(r *record, row []string) {
	if r.Type != user && (r.Type != "" || r.ID == "") {
		return
	}
	for i, cell := range row {
		if f := c.columns[i]; cell == "" && f != nil && f.empty != nil {
			f.empty(r)
		}
	}
}

// row reads a row, which is c's until the next call.
func (c *csvReader) row() (row []string, line int, err error) {
	c.limited.since = 0
	row, err = c.in.Read()
	if parse, ok := errors.AsType[*csv.ParseError](err); ok {
		message := "is not CSV: " + parse.Err.Error()
		if errors.Is(err, csv.ErrFieldCount) {
			message = "has another number of columns than the first line"
		}
		return nil, parse.Line, &InputError{parse.StartLine, "", message}
	}
	if errors.Is(err, errLongRow) {
		return nil, c.line, &InputError{c.line + 1, "", fmt.Sprintf("or one behind it begins a row longer than %d bytes; is a quote not closed?", maxLine)}
	}
	if err != nil {
		return nil, 0, err
	}
	c.line, _ = c.in.FieldPos(0)
	return row, c.line, nil
}

var errLongRow = errors.New("a row is too long")

// rowLimit ends the input where a row is longer than maxLine.
type rowLimit struct {
	in    io.Reader
	since int // bytes since the row began, or a little more
}

func (l *rowLimit) Read(p []byte) (int, error) {
	if l.since > maxLine {
		return 0, errLongRow
	}
	n, err := l.in.Read(p)
	l.since += n
	return n, err
}

// formulas are what spreadsheets take the beginning of a formula for. A text that begins
// with one of them is written with a quote in front, and so is one that begins with a
// quote, so that it can be told when it is read.
const formulas = "=+-@'"

func escape(s string) string {
	if s != "" && strings.IndexByte(formulas, s[0]) >= 0 {
		return "'" + s
	}
	return s
}

func unescape(s string) string {
	if len(s) > 1 && s[0] == '\'' && strings.IndexByte(formulas, s[1]) >= 0 {
		return s[1:]
	}
	return s
}

// recordWriter writes records.
type recordWriter interface {
	write(r *record) error
	flush() error
}

func newWriter(w io.Writer, format string) (recordWriter, error) {
	out := bufio.NewWriterSize(w, 64<<10)
	if format != CSV {
		return &jsonWriter{out}, nil
	}
	c := &csvWriter{out: csv.NewWriter(out), row: []string{"type"}}
	for i := range fields {
		c.row = append(c.row, fields[i].name)
	}
	return c, c.out.Write(c.row)
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

type csvWriter struct {
	out *csv.Writer
	row []string // of the last record
}

func (c *csvWriter) write(r *record) error {
	c.row[0] = r.Type
	for i := range fields {
		f, cell := &fields[i], ""
		if f.there(r) {
			if cell = f.get(r); f.text {
				cell = escape(cell)
			}
		}
		c.row[i+1] = cell
	}
	return c.out.Write(c.row)
}

// flush has to reach through the two buffers.
func (c *csvWriter) flush() error {
	c.out.Flush()
	return c.out.Error()
}
