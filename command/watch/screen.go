package watch

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"
)

// screen is the output that draws the table on a terminal, on the alternate screen. Only Run's
// goroutine uses it.
type screen struct {
	o    Options
	file *os.File

	own    string // the caller's user id, or empty
	board  *update
	rank   *int // the caller's, from the last rank_changed
	status string
	came   time.Time // when board came
}

func newScreen(o Options, file *os.File) *screen {
	_, _ = io.WriteString(file, "\x1b[?1049h\x1b[?25l") // the alternate screen, without a cursor
	s := &screen{o: o, file: file, status: "connecting to " + o.URL.Redacted()}
	s.tick()
	return s
}

// close goes back to the normal screen and leaves the last table there.
func (s *screen) close() {
	_, _ = io.WriteString(s.file, "\x1b[?25h\x1b[?1049l")
	if s.board != nil {
		width, height := s.size()
		_, _ = io.WriteString(s.file, strings.Join(s.table(width, height), "\n")+"\n")
	}
}

func (s *screen) hear(n news) error {
	switch {
	case n.hello != nil && n.hello.UserID != nil:
		s.own = *n.hello.UserID
	case n.board != nil:
		s.board, s.status, s.came = n.board, "", time.Now()
	case n.rank != nil:
		s.rank = n.rank.NewRank
	case n.status != "":
		s.status = n.status
	}
	return s.draw()
}

func (s *screen) tick() { _ = s.draw() } // after a failure, hear fails too

func (s *screen) size() (width, height int) {
	width, height, err := term.GetSize(int(s.file.Fd()))
	if err != nil || width < 1 || height < 1 {
		return 80, 24
	}
	return width, height
}

func (s *screen) draw() error {
	width, height := s.size()
	lines := []string{fit(s.statusLine(), width)}
	if s.board != nil {
		lines = append(lines, s.table(width, height-1)...)
	}
	lines = lines[:min(len(lines), height)]
	_, err := io.WriteString(s.file, "\x1b[H"+strings.Join(lines, "\x1b[K\r\n")+"\x1b[K\x1b[J")
	return err
}

func (s *screen) statusLine() string {
	if s.status != "" {
		return "○ " + s.status
	}
	line := fmt.Sprintf("● live · %s · %s · %s on the board · updated %s", s.board.Board, s.board.Period,
		grouped(int64(s.board.TotalEntries)), since(time.Since(s.came)))
	if s.rank != nil {
		line += fmt.Sprintf(" · you are now number %s", grouped(int64(*s.rank)))
	}
	return line
}

func since(d time.Duration) string {
	switch {
	case d < 2*time.Second:
		return "now"
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s ago", int(d.Seconds()))
	}
	return fmt.Sprintf("%d min ago", int(d.Minutes()))
}

// table returns the lines of the table, as many as fit. If the update has the caller's own row, the
// table has it too.
func (s *screen) table(width, height int) []string {
	shown := s.board.Entries[:max(min(s.o.Rows, len(s.board.Entries), height-2), 0)]
	for i, e := range s.board.Entries {
		if e.UserID == s.own && i >= len(shown) && len(shown) > 0 {
			shown = append(append([]entry(nil), shown[:len(shown)-1]...), e)
		}
	}
	t := newTable(shown, width)
	lines := []string{t.head()}
	for _, e := range shown {
		line := t.row(e, e.UserID == s.own)
		if s.o.Colour {
			line = coloured(line, e, e.UserID == s.own)
		}
		lines = append(lines, line)
	}
	if len(shown) == 0 {
		lines = append(lines, fit("Nobody is on this board in this period yet.", width))
	}
	return lines
}

// coloured highlights the caller's own row, and the rows of users who moved.
func coloured(line string, e entry, own bool) string {
	switch {
	case own:
		return "\x1b[1;7m" + line + "\x1b[0m"
	case e.ChangeType == "up":
		return "\x1b[32m" + line + "\x1b[0m"
	case e.ChangeType == "down":
		return "\x1b[31m" + line + "\x1b[0m"
	}
	return line
}
