package watch

// Row is a row of the table.
type Row = entry

// Table returns the lines of the table for the rows, width cells wide.
func Table(rows []Row, width int, own string) []string {
	t := newTable(rows, width)
	lines := []string{t.head()}
	for _, e := range rows {
		lines = append(lines, t.row(e, e.UserID == own))
	}
	return lines
}

// Plain makes a text harmless.
func Plain(s string) string { return plain(s) }

// Fit cuts or pads a text to width cells.
func Fit(s string, width int) string { return fit(s, width) }
