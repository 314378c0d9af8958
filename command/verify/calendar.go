package verify

import (
	"iter"
	"math"
	"slices"
	"sort"
	"time"
)

// Period is a span of time in which points count, by the name that it has in the API.
type Period string

// The periods. Days, weeks (from Monday) and months begin and end by the clocks of a time zone;
// all-time does neither.
const (
	Daily   Period = "daily"
	Weekly  Period = "weekly"
	Monthly Period = "monthly"
	AllTime Period = "all-time"
)

// ends reports whether the period is one of those that end.
func (p Period) ends() bool { return p == Daily || p == Weekly || p == Monthly }

// calendar lists when the days, weeks and months of a time zone begin.
//
// It is made by watching a clock on the wall, second by second, from one end of the calendar to
// the other. A day begins when the clock first shows a later date than it has ever shown:
//
//	America/Sao_Paulo, 4 November 2018     America/Havana, 1 November 2026
//	UTC       the clock                    UTC       the clock
//	02:59:59  3 Nov 23:59:59               03:59:59  31 Oct 23:59:59
//	03:00:00  4 Nov 01:00:00  day begins   04:00:00   1 Nov 00:00:00  day begins
//	03:00:01  4 Nov 01:00:01               05:00:00   1 Nov 00:00:00  seen before
//
// So a day lasts 23 or 25 hours where the clock is changed, and a date that the zone skipped is
// no day. A week begins with the first day on or after a Monday, and a month with the first day
// on or after the first of the month.
//
// store finds the same moments by asking for midnight and correcting the answer. The two methods
// share only the zone's table of offsets, so a fault in one of them shows as a difference.
type calendar struct {
	starts map[Period][]int64 // Unix milliseconds, ascending
}

const (
	secondsADay   = 24 * 60 * 60
	secondsAnHour = 60 * 60

	// longest is more than a month and the one before it can last, in seconds.
	longest = 64 * secondsADay
)

// The calendar ends here, whatever times a damaged database has. All of it would take some tenths
// of a second.
var (
	earliest = time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
	latest   = time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
)

// newCalendar returns the calendar of a zone, from two periods before the moment from to one period
// after the moment to. Moments are in Unix milliseconds. O(hours between them).
func newCalendar(zone *time.Location, from, to int64) *calendar {
	c := &calendar{starts: map[Period][]int64{}}
	first := max(floorDiv(from, 1000)-longest, earliest)
	last := min(floorDiv(to, 1000)+longest, latest)
	shown := int64(math.MinInt64) // the latest date that the clock has shown, in days since 1970
	for s := range stretches(zone, first, last) {
		at, date := s.from, floorDiv(s.from+s.offset, secondsADay)
		for at < s.to {
			if date > shown {
				c.begin(at, date, shown)
				shown = date
			}
			date++
			at = date*secondsADay - s.offset // midnight, as long as the clock is not changed
		}
	}
	return c
}

// begin adds the periods that begin with a date. at is when the clock first shows it, and before is
// the date that it showed until then. If before is the least number, no date was shown yet, and it
// is not known what begins.
func (c *calendar) begin(at, date, before int64) {
	if before == math.MinInt64 {
		return
	}
	c.starts[Daily] = append(c.starts[Daily], at*1000)
	if week(date) > week(before) {
		c.starts[Weekly] = append(c.starts[Weekly], at*1000)
	}
	if month(date) > month(before) {
		c.starts[Monthly] = append(c.starts[Monthly], at*1000)
	}
}

// week numbers the weeks, which begin on Monday, of dates in days since 1970. That year began on
// a Thursday.
func week(date int64) int64 { return floorDiv(date+3, 7) }

// month numbers the months of dates in days since 1970.
func month(date int64) int64 {
	y, m, _ := time.Unix(date*secondsADay, 0).UTC().Date()
	return int64(y)*12 + int64(m)
}

func floorDiv(a, b int64) int64 {
	if a%b < 0 {
		return a/b - 1
	}
	return a / b
}

// around returns when the period begins that a moment lies in, when the one before it begins, and
// when it ends. ok is false for moments outside of the calendar.
func (c *calendar) around(p Period, moment int64) (before, start, next int64, ok bool) {
	starts := c.starts[p]
	i, exact := slices.BinarySearch(starts, moment)
	if exact {
		i++
	}
	if i < 2 || i == len(starts) {
		return 0, 0, 0, false
	}
	return starts[i-2], starts[i-1], starts[i], true
}

// end returns when the period with a start ends; the start itself if no such period begins then.
func (c *calendar) end(p Period, start int64) int64 {
	if _, begins, next, ok := c.around(p, start); ok && begins == start {
		return next
	}
	return start
}

// stretch is a time in which a zone's clocks run evenly. Times are in Unix seconds.
type stretch struct {
	from, to int64 // to is the first second that is no longer in it
	offset   int64 // how far clocks are ahead of UTC, in seconds
}

// stretches yields the stretches of a zone between two moments, in order. It reads the clock once
// an hour. If the offset has changed, a binary search in that hour finds the second. It relies on
// clocks not being changed twice within an hour.
func stretches(zone *time.Location, first, last int64) iter.Seq[stretch] {
	offset := func(at int64) int64 {
		_, seconds := time.Unix(at, 0).In(zone).Zone()
		return int64(seconds)
	}
	return func(yield func(stretch) bool) {
		s := stretch{from: first, offset: offset(first)}
		for at := first; at < last; at += secondsAnHour {
			next := min(at+secondsAnHour, last)
			if offset(next) == s.offset {
				continue
			}
			s.to = at + 1 + int64(sort.Search(int(next-at-1), func(n int) bool {
				return offset(at+1+int64(n)) != s.offset
			}))
			if !yield(s) {
				return
			}
			s = stretch{from: s.to, offset: offset(s.to)}
		}
		s.to = last
		yield(s)
	}
}
