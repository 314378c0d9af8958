package transfer

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// csvReader reads CSV as spreadsheets write it.
type csvReader struct {
	in      *csv.Reader
	limited *rowLimit
	columns []*field // nil for a column without a name
	before  int      // lines before those that in has seen
	line    int      // on which the last row began
	lossy   bool     // U+FFFD stands for characters that could not be read
}

// typeColumn is the column of the records' types.
var typeColumn = field{name: "type", set: func(r *record, s string) string { r.Type = strings.ToLower(s); return "" }}

// newCSVReader reads the first line, and returns what is wrong with that. before is how
// many lines came before in.
func newCSVReader(in *bufio.Reader, before int) (*csvReader, []*InputError, error) {
	comma, ok := sepLine(firstLine(in))
	if ok {
		before++
		_, _ = in.Discard(len(firstLine(in)))
		_, _ = in.Discard(1) // the line feed, if there is one
	} else {
		comma = separator(firstLine(in))
	}
	limited := &rowLimit{in: in}
	c := &csvReader{in: csv.NewReader(limited), limited: limited, before: before}
	c.in.ReuseRecord, c.in.FieldsPerRecord, c.in.Comma = true, -1, comma
	header, line, err := c.row()
	if fault, ok := errors.AsType[*InputError](err); ok {
		return c, []*InputError{fault}, nil
	}
	if err != nil {
		return c, nil, err
	}
	var wrong []*InputError
	for _, name := range header {
		f := columnOf(name)
		switch {
		case f == nil && blank(name):
		case f == nil:
			wrong = append(wrong, &InputError{line, strings.Trim(strconv.Quote(name), `"`), "is not the name of a column; the first line has to name them, and there are " + names()})
		case slices.Contains(c.columns, f):
			wrong = append(wrong, &InputError{line, f.name, "is there twice; give each column once"})
		}
		c.columns = append(c.columns, f)
	}
	return c, wrong, nil
}

// columnOf returns the field that a column is of, or nil. Spreadsheets may change the case
// of a name, and put spaces around it.
func columnOf(name string) *field {
	name = strings.TrimFunc(name, unseen)
	if strings.EqualFold(name, typeColumn.name) {
		return &typeColumn
	}
	i := slices.IndexFunc(fields, func(f field) bool { return strings.EqualFold(f.name, name) })
	if i < 0 {
		return nil
	}
	return &fields[i]
}

// unseen reports whether a character shows nothing: spaces, also those that keep lines
// together, and what only formats.
func unseen(r rune) bool {
	return unicode.IsSpace(r) || unicode.IsControl(r) || unicode.Is(unicode.Cf, r)
}

// blank reports whether a cell shows nothing.
func blank(cell string) bool { return strings.TrimFunc(cell, unseen) == "" }

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

// sepLine returns the separator that a line such as "sep=;" names, which spreadsheets read
// and write in front of the columns' names.
func sepLine(line []byte) (rune, bool) {
	s := strings.TrimLeft(string(line), `"`)
	if len(s) < len("sep=")+1 || !strings.EqualFold(s[:len("sep=")], "sep=") {
		return 0, false
	}
	comma, n := utf8.DecodeRuneInString(s[len("sep="):])
	rest := strings.Trim(s[len("sep=")+n:], " \""+string(comma))
	return comma, rest == "" && comma != '"' && comma != utf8.RuneError
}

// separator returns that of commas, semicolons and tabs by which the line has the most names
// of columns, or else the most cells.
func separator(line []byte) rune {
	best, most := ',', -1
	for _, comma := range []rune{',', ';', '\t'} {
		r := csv.NewReader(bytes.NewReader(line))
		r.Comma, r.LazyQuotes = comma, true
		cells, _ := r.Read() // what is wrong with it is found when it is read for good
		score := len(cells)
		for _, cell := range cells {
			if columnOf(cell) != nil {
				score += maxLine
			}
		}
		if score > most {
			best, most = comma, score
		}
	}
	return best
}

func (c *csvReader) next(r *record) (line int, wrong []*InputError, err error) {
	for {
		row, line, err := c.row()
		*r = record{}
		if fault, ok := errors.AsType[*InputError](err); ok {
			r.unread = true
			return line, []*InputError{fault}, nil
		}
		if err != nil {
			return line, nil, err
		}
		if !slices.ContainsFunc(row, func(cell string) bool { return !blank(cell) }) {
			continue // a row that was emptied
		}
		for i, cell := range row {
			if field, message := c.set(r, i, cell); message != "" {
				at, _ := c.in.FieldPos(i)
				wrong = append(wrong, &InputError{at + c.before, field, message})
			}
		}
		c.setEmpty(r, row)
		return line, wrong, nil
	}
}

// set gives the record what is in a cell, or returns what is wrong with it.
func (c *csvReader) set(r *record, column int, cell string) (name, wrong string) {
	if column >= len(c.columns) || c.columns[column] == nil {
		if blank(cell) {
			return "", ""
		}
		return "", fmt.Sprintf("has something in column %d, which the first line does not name; name the column, or empty the cell", column+1)
	}
	f := c.columns[column]
	switch {
	case cell == "":
		return "", ""
	case !utf8.ValidString(cell):
		return f.name, "is not valid UTF-8, as the rest of the file is; correct it, and save the file as UTF-8"
	case c.lossy && strings.ContainsRune(cell, utf8.RuneError):
		return f.name, "has a character that can't be read; correct it, and save the file as UTF-8"
	case f.text:
		return f.name, f.set(r, unescape(strings.Clone(cell))) // else it keeps the whole row
	case blank(cell):
		return "", ""
	}
	return f.name, f.set(r, strings.TrimFunc(cell, unseen))
}

// setEmpty gives a user the values of empty cells, also of those that a short row lacks.
// Other records have nothing in the columns of a user.
func (c *csvReader) setEmpty(r *record, row []string) {
	if r.Type != user && (r.Type != "" || r.ID == "") {
		return
	}
	for i, f := range c.columns {
		if f != nil && f.empty != nil && (i >= len(row) || row[i] == "") {
			f.empty(r)
		}
	}
}

// row reads a row, which is c's until the next call. An *InputError is about the row alone.
func (c *csvReader) row() (row []string, line int, err error) {
	c.limited.since = 0
	row, err = c.in.Read()
	if parse, ok := errors.AsType[*csv.ParseError](err); ok {
		line = parse.StartLine + c.before
		return nil, line, &InputError{line, "", "is not CSV: " + parse.Err.Error()}
	}
	if errors.Is(err, errLongRow) {
		err = stop{&InputError{c.line + 1, "", fmt.Sprintf("or one behind it begins a row longer than %d bytes; is a quote not closed?", maxLine)}}
	}
	if err != nil {
		return nil, 0, err
	}
	c.line, _ = c.in.FieldPos(0)
	c.line += c.before
	return row, c.line, nil
}

// stop is an error behind which an input can't be read on.
type stop struct{ fault *InputError }

func (s stop) Error() string { return s.fault.Error() }

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

type csvWriter struct {
	out *csv.Writer
	row []string // of the last record
}

func newCSVWriter(out io.Writer) (*csvWriter, error) {
	c := &csvWriter{out: csv.NewWriter(out), row: []string{typeColumn.name}}
	for i := range fields {
		c.row = append(c.row, fields[i].name)
	}
	return c, c.out.Write(c.row)
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
