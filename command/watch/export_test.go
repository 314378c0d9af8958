package watch

// Row is a row of the table.
type Row = entry

// Table returns the rows as they are shown in that many cells.
func Table(rows []Row, width int, own string) []string {
	t := newTable(rows, width)
	lines := []string{t.head()}
	for _, e := range rows {
		lines = append(lines, t.row(e, e.UserID == own))
	}
	return lines
}

// Plain is what is shown of a text.
func Plain(s string) string { return plain(s) }

// Fit is a text in that many cells.
func Fit(s string, width int) string { return fit(s, width) }
