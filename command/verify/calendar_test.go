package verify_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"marcador/command/verify"
	"marcador/store"
)

func zoneOf(tb testing.TB, name string) *time.Location {
	tb.Helper()
	zone, err := time.LoadLocation(name)
	if err != nil {
		tb.Fatal(err)
	}
	return zone
}

// The calendar and store compute the boundaries of periods by two methods. They agree on every
// one of them over 24 years, also where clocks are changed at midnight and where a date is missing.
func TestCalendar_agreesWithStore(t *testing.T) {
	from, to := time.Date(2006, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, name := range []string{
		"UTC", "America/Mexico_City", "America/Merida", "America/Bogota", "America/New_York", "Europe/Madrid", "Europe/London",
		"Asia/Kathmandu", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Chatham", // offsets of quarters of an hour
		"America/Sao_Paulo", "America/Asuncion", "America/Santiago", "Africa/Cairo", // no midnight on some days
		"Asia/Beirut", "Asia/Amman", "Asia/Damascus", "Asia/Tehran", "Asia/Gaza", // likewise
		"America/Havana", "Atlantic/Azores", "America/Scoresbysund", "America/Nuuk", // two midnights on some days
		"America/St_Johns", "America/Goose_Bay", // until 2011 clocks were changed a minute past midnight
		"Africa/Casablanca", "Africa/El_Aaiun", // four changes a year
		"Pacific/Apia", "Pacific/Fakaofo", // a date is missing
		"Antarctica/Troll", "Antarctica/Casey", "Asia/Pyongyang", "Europe/Istanbul", "America/Caracas",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			zone := zoneOf(t, name)
			for _, p := range []store.Period{store.Daily, store.Weekly, store.Monthly} {
				starts := verify.Starts(zone, verify.Period(p.String()), from, to)
				for i, start := range starts[:len(starts)-1] {
					at := time.UnixMilli(start).In(zone)
					soon, last := at.Add(30*time.Minute), time.UnixMilli(starts[i+1]-1).In(zone)
					if !p.Start(at).Equal(at) || !p.Start(soon).Equal(at) || !p.Start(last).Equal(at) || p.Next(at).UnixMilli() != starts[i+1] {
						t.Fatalf("%s: store has %v to %v, half an hour later %v, and at the end %v; the calendar has %v to %v",
							p, p.Start(at), p.Next(at), p.Start(soon), p.Start(last), at, last)
					}
				}
			}
		})
	}
}

// Days that clocks make shorter, longer or later, written by hand: date and hour in UTC at which
// the day before, the day and the day after begin.
func TestCalendar_changesOfClocks(t *testing.T) {
	for _, c := range []struct{ zone, days string }{
		{"Europe/Madrid", "2026-03-27T23 2026-03-28T23 2026-03-29T22 2026-03-30T22"},     // 29 March has 23 hours
		{"Europe/Madrid", "2026-10-23T22 2026-10-24T22 2026-10-25T23 2026-10-26T23"},     // 25 October has 25 hours
		{"America/Sao_Paulo", "2018-11-02T03 2018-11-03T03 2018-11-04T03 2018-11-05T02"}, // 4 November begins at one o'clock
		{"America/Sao_Paulo", "2018-02-16T02 2018-02-17T02 2018-02-18T03 2018-02-19T03"}, // 17 February ends an hour late
		{"Asia/Beirut", "2026-03-27T22 2026-03-28T22 2026-03-29T21 2026-03-30T21"},       // 29 March begins at one o'clock
		{"Africa/Cairo", "2026-04-22T22 2026-04-23T22 2026-04-24T21 2026-04-25T21"},      // 24 April begins at one o'clock
		{"America/Havana", "2026-10-31T04 2026-11-01T04 2026-11-02T05 2026-11-03T05"},    // 1 November has two midnights
		{"Pacific/Apia", "2011-12-28T10 2011-12-29T10 2011-12-30T10 2011-12-31T10"},      // from the 29th to the 31st
	} {
		var want []int64
		for hour := range strings.FieldsSeq(c.days) {
			at, err := time.Parse("2006-01-02T15", hour)
			if err != nil {
				t.Fatal(err)
			}
			want = append(want, at.UnixMilli())
		}
		first, last := time.UnixMilli(want[0]), time.UnixMilli(want[len(want)-1])
		var got []int64
		for _, start := range verify.Starts(zoneOf(t, c.zone), verify.Daily, first, last) {
			if start >= want[0] && start <= want[len(want)-1] {
				got = append(got, start)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: days begin at %v, want %v", c.zone, got, want)
		}
	}
}

// A week begins on Monday and a month on the first of the month.
func TestCalendar_weeksAndMonths(t *testing.T) {
	zone := zoneOf(t, "America/Sao_Paulo")
	from, to := time.Date(2017, 12, 1, 0, 0, 0, 0, zone), time.Date(2019, 12, 1, 0, 0, 0, 0, zone)
	for _, start := range verify.Starts(zone, verify.Weekly, from, to) {
		if at := time.UnixMilli(start).In(zone); at.Weekday() != time.Monday {
			t.Errorf("a week begins at %v", at)
		}
	}
	for _, start := range verify.Starts(zone, verify.Monthly, from, to) {
		if at := time.UnixMilli(start).In(zone); at.Day() != 1 {
			t.Errorf("a month begins at %v", at)
		}
	}
}

// On the day after the clocks were set forward at midnight, a store that takes every day for 24
// hours long puts points into the wrong day, although the sums by its own days are right. Totals
// names the start that is wrong.
func TestDB_Totals_wrongBoundary(t *testing.T) {
	const hour = int64(time.Hour / time.Millisecond)
	for _, c := range []struct {
		name, column string
		wrong        string
		want         []string
	}{
		{"none", "day", `day`, nil},
		{"a day", "day", `day + ?1`, []string{`totals.day of user "ana"`, "2018-11-05T01:00:00-02:00", "daily", "2018-11-05T00:00:00-02:00"}},
		{"the day before", "prior_day", `prior_day - ?1`, []string{`totals.prior_day of user "ana"`, "2018-11-03T23:00:00-03:00", "2018-11-04T01:00:00-02:00"}},
		{"a week", "week", `week + ?1`, []string{`totals.week of user "ana"`, "weekly", "2018-11-05T00:00:00-02:00"}},
		{"a month", "month", `month + ?1`, []string{`totals.month of user "ana"`, "monthly", "2018-11-01T00:00:00-03:00"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, "America/Sao_Paulo")
			w.users("2018-01-01 12:00", "ana")
			w.give("2018-11-04 12:00", "ana", 2, 0) // its day begins at one o'clock
			w.give("2018-11-05 12:00", "ana", 3, 0)
			w.addUp()
			w.exec(`UPDATE totals SET `+c.column+` = `+c.wrong, hour)
			found, err := w.open(verify.Options{}).Totals(t.Context())
			if err != nil || (found == "") != (c.want == nil) {
				t.Fatalf("Totals() = %q, %v; want %q in it", found, err, c.want)
			}
			for _, want := range c.want {
				if !strings.Contains(string(found), want) {
					t.Errorf("Totals() = %q; want %q in it", found, want)
				}
			}
		})
	}
}

// A closed period with a wrong boundary is no difference, since it may have been closed in another
// time zone, but it is counted and named.
func TestDB_OddClosings(t *testing.T) {
	w := newWorld(t, "America/Sao_Paulo")
	w.users("2018-01-01 12:00", "ana")
	w.give("2018-11-03 12:00", "ana", 1, 0)
	w.closed(1, "monthly", "2018-10-01 00:00", "2018-11-01 00:00", "ordinal", 0)
	w.closed(2, "daily", "2018-11-03 00:00", "2018-11-04 01:00", "ordinal", 1, "ana 1")
	count := func(want int, name string) {
		t.Helper()
		got, first, err := w.open(verify.Options{}).OddClosings(t.Context())
		if err != nil || got != want || !strings.HasPrefix(first, name) {
			t.Errorf("OddClosings() = %d, %q, %v; want %d, %q", got, first, err, want, name)
		}
	}
	count(0, "")
	w.closed(3, "daily", "2018-11-04 01:00", "2018-11-05 01:00", "ordinal", 0) // 24 hours, and had 23
	count(1, "closing 3 (daily, from 2018-11-04T01:00:00-02:00)")
	w.closed(4, "weekly", "2018-11-04 01:00", "2018-11-12 00:00", "ordinal", 0)
	count(2, "closing 3")
}
