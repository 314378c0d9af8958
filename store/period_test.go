package store_test

import (
	"testing"
	"time"

	"marcador/store"
)

// In every zone each moment lies in the period from Start to Next, periods follow each other
// without a gap, and each begins at the first moment at which clocks show its day.
func TestPeriod(t *testing.T) {
	for _, zone := range []string{
		"UTC", "America/Mexico_City", "Europe/Madrid", "Asia/Kathmandu", "America/New_York",
		"America/Sao_Paulo", // 2018: no midnight
		"America/Havana",    // midnight twice
		"Asia/Beirut", "America/Asuncion", "Africa/Cairo", "Atlantic/Azores",
		"Pacific/Apia", // 2011: no 30 December
		"Australia/Lord_Howe",
		"America/St_Johns", // until 2011: clocks were changed a minute after midnight
	} {
		in, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range []store.Period{store.Daily, store.Weekly, store.Monthly} {
			for at := time.Date(2009, 12, 30, 22, 30, 0, 0, time.UTC).In(in); at.Year() < 2027; {
				start, next := p.Start(at), p.Next(at)
				if start.After(at) || !next.After(at) {
					t.Fatalf("%s %s: %v is not from %v to %v", zone, p, at, start, next)
				}
				if got := p.Start(next.Add(-time.Nanosecond)); !got.Equal(start) {
					t.Fatalf("%s %s: the last moment of the period from %v is in the period from %v", zone, p, start, got)
				}
				if got := p.Start(next); !got.Equal(next) {
					t.Fatalf("%s %s: %v is in the period from %v", zone, p, next, got)
				}
				if got := p.Before(next); !got.Equal(start) {
					t.Fatalf("%s %s: the period before %v begins at %v, want %v", zone, p, next, got, start)
				}
				if sameDay(next, next.Add(-time.Nanosecond)) {
					t.Fatalf("%s %s: %v is not the day's first moment", zone, p, next)
				}
				if p == store.Weekly && next.Weekday() != time.Monday && zone != "Pacific/Apia" || p == store.Monthly && next.Day() != 1 {
					t.Fatalf("%s %s: a period begins at %v", zone, p, next)
				}
				at = at.Add(7 * time.Hour)
			}
		}
	}
}

func sameDay(a, b time.Time) bool {
	return a.Year() == b.Year() && a.YearDay() == b.YearDay()
}

func TestPeriod_daylightSaving(t *testing.T) {
	for _, c := range []struct {
		zone   string
		period store.Period
		at     string
		start  string
		next   string
	}{
		{"Europe/Madrid", store.Daily, "2026-03-29T12:00:00+02:00", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"}, // 23 hours
		{"Europe/Madrid", store.Daily, "2026-10-25T12:00:00+01:00", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"}, // 25 hours
		{"Europe/Madrid", store.Weekly, "2026-03-29T12:00:00+02:00", "2026-03-22T23:00:00Z", "2026-03-29T22:00:00Z"},
		{"Europe/Madrid", store.Monthly, "2026-03-31T23:59:59+02:00", "2026-02-28T23:00:00Z", "2026-03-31T22:00:00Z"},
		{"America/Mexico_City", store.Monthly, "2026-02-28T23:59:59-06:00", "2026-02-01T06:00:00Z", "2026-03-01T06:00:00Z"},
		{"America/Mexico_City", store.Daily, "2022-04-03T12:00:00-05:00", "2022-04-03T06:00:00Z", "2022-04-04T05:00:00Z"}, // the last year with summer time
		{"America/Mexico_City", store.Weekly, "2024-02-29T12:00:00-06:00", "2024-02-26T06:00:00Z", "2024-03-04T06:00:00Z"},
		{"Asia/Kathmandu", store.Daily, "2026-01-01T00:00:00+05:45", "2025-12-31T18:15:00Z", "2026-01-01T18:15:00Z"},
		{"Asia/Kathmandu", store.Weekly, "2026-01-01T00:00:00+05:45", "2025-12-28T18:15:00Z", "2026-01-04T18:15:00Z"},
		{"America/Sao_Paulo", store.Daily, "2018-11-04T12:00:00-02:00", "2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z"}, // begins at one o'clock
		{"America/Havana", store.Daily, "2026-11-01T12:00:00-05:00", "2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z"},    // has two midnights
		{"America/St_Johns", store.Daily, "2010-11-06T23:30:00-03:30", "2010-11-07T02:30:00Z", "2010-11-08T03:30:00Z"},  // the 7th began, then clocks went back to the 6th
		{"America/St_Johns", store.Weekly, "2010-11-06T23:30:00-03:30", "2010-11-01T02:30:00Z", "2010-11-08T03:30:00Z"},
	} {
		in, err := time.LoadLocation(c.zone)
		if err != nil {
			t.Fatal(err)
		}
		at, err := time.Parse(time.RFC3339, c.at)
		if err != nil {
			t.Fatal(err)
		}
		start, next := c.period.Start(at.In(in)).UTC().Format(time.RFC3339), c.period.Next(at.In(in)).UTC().Format(time.RFC3339)
		if start != c.start || next != c.next {
			t.Errorf("%s %s of %s: from %s to %s, want %s to %s", c.zone, c.period, c.at, start, next, c.start, c.next)
		}
	}
}

func TestParsePeriod(t *testing.T) {
	for _, p := range []store.Period{store.Daily, store.Weekly, store.Monthly, store.AllTime} {
		if got, ok := store.ParsePeriod(p.String()); got != p || !ok {
			t.Errorf("ParsePeriod(%q) = %v, %v", p, got, ok)
		}
	}
	if _, ok := store.ParsePeriod("yearly"); ok {
		t.Error("yearly is a period")
	}
	if at := time.Now(); !store.AllTime.Start(at).IsZero() || !store.AllTime.Next(at).IsZero() || !store.AllTime.Before(at).IsZero() {
		t.Error("all time begins or ends")
	}
}
