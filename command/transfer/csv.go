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

// csvReader reads CSV as spreadsheets write it: with any separator, and with empty columns and
// rows.
type csvReader struct {
	in      *csv.Reader
	limited *rowLimit
	columns []*field // nil for a column without a name
	before  int      // lines before the first that in has read
	line    int      // the line on which the last row began
	lossy   bool     // U+FFFD stands for characters that could not be decoded
}

// typeColumn is the column with the types of the records.
var typeColumn = field{name: "type", set: func(r *record, s string) string { r.Type = strings.ToLower(s); return "" }}

// newCSVReader reads the line of column names and returns the faults of that line. before is how
// many lines came before it.
func newCSVReader(in *bufio.Reader, before int) (*csvReader, []*InputError, error) {
	comma, ok := sepLine(firstLine(in))
	if ok {
		before++
		_, _ = in.Discard(len(firstLine(in)))
		_, _ = in.Discard(1) // the line feed, which the last line may lack
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
			wrong = append(wrong, &InputError{line, strings.Trim(strconv.Quote(name), `"`), "is not the name of a column; the first line has to name the columns, which may be " + names()})
		case slices.Contains(c.columns, f):
			wrong = append(wrong, &InputError{line, f.name, "is there twice; give each column once"})
		}
		c.columns = append(c.columns, f)
	}
	return c, wrong, nil
}

// columnOf returns the field of the column with the name, or nil. Spreadsheets may change the case
// of a name and put spaces around it.
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

// unseen reports whether a character shows nothing: any kind of space, and characters that control
// or format.
func unseen(r rune) bool {
	return unicode.IsSpace(r) || unicode.IsControl(r) || unicode.Is(unicode.Cf, r)
}

// blank reports whether a cell shows nothing.
func blank(cell string) bool { return strings.TrimFunc(cell, unseen) == "" }

// firstLine returns the first line, or the part of it that fits into the buffer of in. It reads
// only as much as it needs, because a pipe may deliver the line in parts.
func firstLine(in *bufio.Reader) []byte {
	for n := 1; ; n = in.Buffered() + 1 {
		start, err := in.Peek(n)
		if err == nil {
			start, _ = in.Peek(in.Buffered()) // can't fail
		}
		if line, _, whole := bytes.Cut(start, []byte("\n")); whole || err != nil {
			return line
		}
	}
}

// sepLine returns the separator that a line such as "sep=;" names. Spreadsheets read and write such
// a line before the names of the columns.
func sepLine(line []byte) (rune, bool) {
	s := strings.TrimLeft(string(line), `"`)
	if len(s) < len("sep=")+1 || !strings.EqualFold(s[:len("sep=")], "sep=") {
		return 0, false
	}
	comma, n := utf8.DecodeRuneInString(s[len("sep="):])
	rest := strings.Trim(s[len("sep=")+n:], " \""+string(comma))
	return comma, rest == "" && comma != '"' && comma != utf8.RuneError
}

// separator returns a comma, a semicolon or a tab: the one that divides the line into the most
// names of columns, or, if that decides nothing, into the most cells.
func separator(line []byte) rune {
	best, most := ',', -1
	for _, comma := range []rune{',', ';', '\t'} {
		r := csv.NewReader(bytes.NewReader(line))
		r.Comma, r.LazyQuotes = comma, true
		cells, _ := r.Read() // the real reader finds its faults
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
			continue // an empty row
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

// set sets the field of a cell, or returns the field's name and what is wrong with the cell.
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
		// A clone, so that the record does not retain the whole row.
		return f.name, f.set(r, unescape(strings.Clone(cell)))
	case blank(cell):
		return "", ""
	}
	return f.name, f.set(r, strings.TrimFunc(cell, unseen))
}

// setEmpty sets the fields of a user whose cells are empty, or missing in a short row. It leaves
// other records alone, because their cells in the columns of users are always empty.
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

// row reads a row, which is valid until the next call. After an *InputError the next row can be
// read.
func (c *csvReader) row() (row []string, line int, err error) {
	c.limited.since = 0
	row, err = c.in.Read()
	if parse, ok := errors.AsType[*csv.ParseError](err); ok {
		line = parse.StartLine + c.before
		return nil, line, &InputError{line, "", "is not CSV: " + parse.Err.Error()}
	}
	if errors.Is(err, errLongRow) {
		err = stop{&InputError{c.line + 1, "", fmt.Sprintf("or a later line begins a row longer than %d bytes; is a quote not closed?", maxLine)}}
	}
	if err != nil {
		return nil, 0, err
	}
	c.line, _ = c.in.FieldPos(0)
	c.line += c.before
	return row, c.line, nil
}

// stop is a fault after which the rest of the input can't be read.
type stop struct{ fault *InputError }

func (s stop) Error() string { return s.fault.Error() }

var errLongRow = errors.New("a row is too long")

// rowLimit returns an error instead of more input while a row is longer than maxLine.
type rowLimit struct {
	in    io.Reader
	since int // bytes since the row began, or slightly more
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
	row []string // reused for each record
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

// flush also flushes the buffer of newWriter, because csv.Writer uses it as its own.
func (c *csvWriter) flush() error {
	c.out.Flush()
	return c.out.Error()
}
