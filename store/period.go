package store

import (
	"slices"
	"time"
)

// Period is when points count.
type Period uint8

// The periods. Those before AllTime come to an end.
const (
	Daily Period = iota
	Weekly
	Monthly
	AllTime

	Ending = int(AllTime) // how many periods end
)

var periodNames = []string{"daily", "weekly", "monthly", "all-time"}

// String is the period's name, as in the API.
func (p Period) String() string { return periodNames[p] }

// ParsePeriod returns the period of that name.
func ParsePeriod(name string) (p Period, ok bool) {
	i := slices.Index(periodNames, name)
	return Period(max(i, 0)), i >= 0
}

// Start returns when the period began that t lies in, in t's location: at the
// first moment of a day, of a Monday, of the first of a month. All time has no
// start.
func (p Period) Start(t time.Time) time.Time {
	y, m, d := t.Date()
	switch p {
	case Daily:
		return dayOf(y, m, d, t.Location())
	case Weekly:
		return dayOf(y, m, d-(int(t.Weekday())+6)%7, t.Location())
	case Monthly:
		return dayOf(y, m, 1, t.Location())
	}
	return time.Time{}
}

// Next returns when the period ends that t lies in, which is when the next begins.
// All time does not end.
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

// Before returns when the period began that came before the one that t lies in.
func (p Period) Before(t time.Time) time.Time {
	if p == AllTime {
		return time.Time{}
	}
	return p.Start(p.Start(t).Add(-time.Nanosecond))
}

// dayOf returns the first moment of a day. Where clocks are changed at midnight
// there may be no midnight, for which time.Date answers with one side or the other
// of the gap, or two, of which it answers with either.
func dayOf(y int, m time.Month, d int, in *time.Location) time.Time {
	noon := time.Date(y, m, d, 12, 0, 0, 0, in)
	y, m, d = noon.Date()
	start := time.Date(y, m, d, 0, 0, 0, 0, in)
	changed, _ := noon.ZoneBounds()
	if changed.IsZero() || noon.Sub(changed) > 24*time.Hour {
		return start
	}
	// By the clock that went before the change; if that was changed first, the day
	// begins with the change.
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
