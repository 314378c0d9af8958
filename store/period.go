package store

import (
	"slices"
	"time"
)

// Period is a kind of span of time in which points count.
type Period uint8

// The periods. All but AllTime end.
const (
	Daily Period = iota
	Weekly
	Monthly
	AllTime

	Ending = int(AllTime) // the number of periods that end; they come first
)

var periodNames = []string{"daily", "weekly", "monthly", "all-time"}

// String is the period's name, as in the API.
func (p Period) String() string { return periodNames[p] }

// ParsePeriod returns the period with that name. ok is false for any other name.
func ParsePeriod(name string) (p Period, ok bool) {
	i := slices.Index(periodNames, name)
	return Period(max(i, 0)), i >= 0
}

// Start returns when the period that t lies in began, by the clocks of t's location: the first
// moment of a day, of a Monday, or of the first of a month. AllTime has no start; the result is the
// zero time.
func (p Period) Start(t time.Time) time.Time {
	y, m, d := dateOf(t)
	switch p {
	case Daily:
		return dayOf(y, m, d, t.Location())
	case Weekly:
		weekday := time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Weekday()
		return dayOf(y, m, d-(int(weekday)+6)%7, t.Location())
	case Monthly:
		return dayOf(y, m, 1, t.Location())
	}
	return time.Time{}
}

// Next returns when the period that t lies in ends and the next one begins; the zero time for
// AllTime.
func (p Period) Next(t time.Time) time.Time {
	y, m, d := p.Start(t).Date()
	switch p {
	case Daily:
		return dayOf(y, m, d+1, t.Location())
	case Weekly:
		return dayOf(y, m, d+7, t.Location())
	case Monthly:
		return dayOf(y, m+1, 1, t.Location())
	}
	return time.Time{}
}

// Before returns when the period before the one that t lies in began; the zero time for AllTime.
func (p Period) Before(t time.Time) time.Time {
	if p == AllTime {
		return time.Time{}
	}
	return p.Start(p.Start(t).Add(-time.Nanosecond))
}

// dateOf returns the date of the day that t lies in. If clocks are set back a minute after
// midnight, the new day has begun, but for an hour they show the date before it again.
func dateOf(t time.Time) (y int, m time.Month, d int) {
	y, m, d = t.Date()
	if t.Hour() < 20 { // no clock is set back from midnight to before that
		return y, m, d
	}
	if next := dayOf(y, m, d+1, t.Location()); !next.After(t) {
		return next.Date()
	}
	return y, m, d
}

// dayOf returns the first moment of a date. If clocks are changed at midnight, the date may have no
// midnight, and time.Date returns a time before or after the gap; or it may have two midnights, and
// time.Date returns either of them.
func dayOf(y int, m time.Month, d int, in *time.Location) time.Time {
	noon := time.Date(y, m, d, 12, 0, 0, 0, in)
	y, m, d = noon.Date()
	start := time.Date(y, m, d, 0, 0, 0, 0, in)
	changed, _ := noon.ZoneBounds()
	if changed.IsZero() || noon.Sub(changed) > 24*time.Hour {
		return start
	}
	// Midnight by the clocks as they ran before the change. If the change came before that, the
	// day begins with the change.
	_, offset := changed.Add(-time.Nanosecond).Zone()
	early := time.Date(y, m, d, 0, 0, 0, 0, time.FixedZone("", offset))
	switch {
	case early.Before(changed):
		return early.In(in)
	case changed.Day() == d && start.Before(changed):
		return changed
	}
	return start
}
