package verify

import "time"

// Starts returns when the periods of a kind begin in a zone, by the calendar from one moment to
// another, in Unix milliseconds.
func Starts(zone *time.Location, p Period, from, to time.Time) []int64 {
	return newCalendar(zone, from.UnixMilli(), to.UnixMilli()).starts[p]
}
