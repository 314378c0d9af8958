package main

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// table has the results of a scenario.
type table struct {
	title   string
	intro   string // what was measured, in Markdown
	head    []string
	rows    [][]string
	remarks []string // listed below the table
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

func (t *table) remark(format string, args ...any) {
	t.remarks = append(t.remarks, fmt.Sprintf(format, args...))
}

// write writes the table as Markdown with aligned columns, so that people can read the source too.
func (t *table) write(w io.Writer) error {
	widths := make([]int, len(t.head))
	for _, row := range append([][]string{t.head}, t.rows...) {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "## %s\n\n%s\n\n", t.title, wrapped(t.intro, ""))
	line := func(cells []string) {
		for i, width := range widths {
			cell := ""
			if i < len(cells) {
				cell = cells[i]
			}
			fill := strings.Repeat(" ", width-utf8.RuneCountInString(cell))
			if i == 0 {
				b.WriteString("| " + cell + fill + " |")
			} else {
				b.WriteString(" " + fill + cell + " |")
			}
		}
		b.WriteByte('\n')
	}
	line(t.head)
	for i, width := range widths {
		if i == 0 {
			b.WriteString("| " + strings.Repeat("-", width) + " |")
		} else {
			b.WriteString(" " + strings.Repeat("-", max(width-1, 1)) + ": |")
		}
	}
	b.WriteByte('\n')
	for _, row := range t.rows {
		line(row)
	}
	if len(t.remarks) > 0 {
		b.WriteByte('\n')
	}
	for _, remark := range t.remarks {
		b.WriteString("- " + wrapped(remark, "  ") + "\n")
	}
	b.WriteByte('\n')
	_, err := io.WriteString(w, b.String())
	return err
}

// columns is how wide a line of prose is.
const columns = 100

// wrapped breaks a text into lines. indent begins each line but the first, which has as much room.
func wrapped(text, indent string) string {
	var b strings.Builder
	used := len(indent)
	for i, word := range strings.Fields(text) {
		length := utf8.RuneCountInString(word)
		switch {
		case i > 0 && used+1+length > columns:
			b.WriteString("\n" + indent)
			used = len(indent)
		case i > 0:
			b.WriteByte(' ')
			used++
		}
		b.WriteString(word)
		used += length
	}
	return b.String()
}

// The functions below format numbers for tables.

func micros(ns float64) string { return fmt.Sprintf("%.1f µs", ns/1e3) }

func millis(ns float64) string { return fmt.Sprintf("%.1f ms", ns/1e6) }

func kilobytes(b float64) string { return fmt.Sprintf("%.1f KB", b/1e3) }

func times(f float64) string {
	if f == 0 {
		return "–"
	}
	return fmt.Sprintf("%.2f", f)
}

func percent(f float64) string { return fmt.Sprintf("%.1f %%", 100*f) }
