package cron

import (
	"fmt"
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // the same zones on every machine
)

func zoneOf(t testing.TB, name string) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

func mustParse(t testing.TB, expression string, loc *time.Location) *Schedule {
	t.Helper()
	s, err := Parse(expression, loc)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestNext(t *testing.T) {
	t.Parallel()
	const layout = "Mon 2006-01-02 15:04"
	for expression, c := range map[string]struct{ after, want string }{
		"* * * * *":         {"Sun 2026-11-22 17:06", "Sun 2026-11-22 17:07"},
		"*/15 * * * *":      {"Sun 2026-11-22 17:06", "Sun 2026-11-22 17:15"},
		"59 23 31 12 *":     {"Sun 2026-11-22 17:06", "Thu 2026-12-31 23:59"},
		"0 3 * * *":         {"Sun 2026-11-22 03:00", "Mon 2026-11-23 03:00"},
		"0 9-17/4 * * *":    {"Sun 2026-11-22 13:00", "Sun 2026-11-22 17:00"},
		"5,35 8 * * *":      {"Sun 2026-11-22 08:05", "Sun 2026-11-22 08:35"},
		"0 0 29 2 *":        {"Sun 2026-11-22 17:06", "Tue 2028-02-29 00:00"},
		"0 0 1 * mon":       {"Sun 2026-11-22 17:06", "Mon 2026-11-23 00:00"}, // either day
		"0 0 1 * MON-fri/2": {"Mon 2026-11-30 17:06", "Tue 2026-12-01 00:00"},
		"0 0 */2 * mon":     {"Sun 2026-11-22 17:06", "Mon 2026-11-23 00:00"}, // both: */2 restricts nothing to cron
		"0 0 * Feb 7":       {"Sun 2026-11-22 17:06", "Sun 2027-02-07 00:00"},
		"0 0 * * sun,wed":   {"Sun 2026-11-22 17:06", "Wed 2026-11-25 00:00"},
		"0 0 * * 5-7":       {"Sun 2026-11-22 17:06", "Fri 2026-11-27 00:00"},
		"@hourly":           {"Sun 2026-11-22 17:06", "Sun 2026-11-22 18:00"},
		"@Daily":            {"Sun 2026-11-22 17:06", "Mon 2026-11-23 00:00"},
		"@weekly":           {"Sun 2026-11-22 17:06", "Sun 2026-11-29 00:00"},
		"@monthly":          {"Sun 2026-11-22 17:06", "Tue 2026-12-01 00:00"},
		"@yearly":           {"Sun 2026-11-22 17:06", "Fri 2027-01-01 00:00"},
	} {
		after, err := time.ParseInLocation(layout, c.after, time.UTC)
		if err != nil {
			t.Fatal(err)
		}
		if got := mustParse(t, expression, time.UTC).Next(after).Format(layout); got != c.want {
			t.Errorf("%s after %s is %s, want %s", expression, c.after, got, c.want)
		}
	}
	if got := mustParse(t, "0 0 29 2 */7", time.UTC).Next(time.Date(2088, 3, 1, 0, 0, 0, 0, time.UTC)); got.Format(time.DateOnly) != "2128-02-29" {
		t.Errorf("after 2088, 29 February is a Sunday on %s", got)
	}
	half := time.Date(2026, 11, 22, 17, 6, 59, 999_999_999, time.UTC)
	if got := mustParse(t, "* * * * *", time.UTC).Next(half); !got.Equal(half.Add(1)) {
		t.Errorf("a nanosecond before 17:07, the next minute is %s", got)
	}
}

// TestClocksThatChange says what each kind of schedule does on days with 23 and
// with 25 hours, and where a whole day is skipped.
func TestClocksThatChange(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		zone, expression, from, to string
		want                       []string
	}{
		"a skipped time happens when the clocks go forward": {
			"Europe/Berlin", "30 2 * * *", "2026-03-28 12:00", "2026-03-30 12:00",
			[]string{"2026-03-29 03:00 CEST", "2026-03-30 02:30 CEST"},
		},
		"skipped times happen once together": {
			"Europe/Berlin", "*/20 2,3 * * *", "2026-03-28 12:00", "2026-03-29 12:00",
			[]string{"2026-03-29 03:00 CEST", "2026-03-29 03:20 CEST", "2026-03-29 03:40 CEST"},
		},
		"a repeated time happens the first time": {
			"Europe/Berlin", "30 2 * * *", "2026-10-24 12:00", "2026-10-26 12:00",
			[]string{"2026-10-25 02:30 CEST", "2026-10-26 02:30 CET"},
		},
		"a pace goes on while the clocks repeat an hour": {
			"Europe/Berlin", "30 * * * *", "2026-10-25 01:00", "2026-10-25 04:00",
			[]string{"2026-10-25 01:30 CEST", "2026-10-25 02:30 CEST", "2026-10-25 02:30 CET", "2026-10-25 03:30 CET"},
		},
		"a pace makes nothing up for an hour that there is not": {
			"Europe/Berlin", "30 * * * *", "2026-03-29 00:00", "2026-03-29 05:00",
			[]string{"2026-03-29 00:30 CET", "2026-03-29 01:30 CET", "2026-03-29 03:30 CEST", "2026-03-29 04:30 CEST"},
		},
		"half an hour is skipped on Lord Howe Island": {
			"Australia/Lord_Howe", "15 2 * * *", "2026-10-03 12:00", "2026-10-05 12:00",
			[]string{"2026-10-04 02:30 +11", "2026-10-05 02:15 +11"},
		},
		"midnight is skipped in Beirut": {
			"Asia/Beirut", "@daily", "2026-03-27 12:00", "2026-03-30 12:00",
			[]string{"2026-03-28 00:00 EET", "2026-03-29 01:00 EEST", "2026-03-30 00:00 EEST"},
		},
		"Samoa had no 30 December 2011": {
			"Pacific/Apia", "0 12 * * *", "2011-12-29 00:00", "2011-12-31 23:00",
			[]string{"2011-12-29 12:00 -10", "2011-12-31 00:00 +14", "2011-12-31 12:00 +14"},
		},
		"Newfoundland went back over midnight": {
			"America/St_Johns", "0,30 * * * *", "2010-11-06 22:45", "2010-11-07 01:10",
			[]string{"2010-11-06 23:00 NDT", "2010-11-06 23:30 NDT", "2010-11-07 00:00 NDT", "2010-11-06 23:30 NST", "2010-11-07 00:00 NST", "2010-11-07 00:30 NST", "2010-11-07 01:00 NST"},
		},
	} {
		loc := zoneOf(t, c.zone)
		s := mustParse(t, c.expression, loc)
		at, err := time.ParseInLocation("2006-01-02 15:04", c.from, loc)
		if err != nil {
			t.Fatal(err)
		}
		end, err := time.ParseInLocation("2006-01-02 15:04", c.to, loc)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for at = s.Next(at); at.Before(end); at = s.Next(at) {
			got = append(got, at.Format("2006-01-02 15:04 MST"))
		}
		if strings.Join(got, "; ") != strings.Join(c.want, "; ") {
			t.Errorf("%s: %s in %s is\n\t%s\nwant\n\t%s", name, c.expression, c.zone, strings.Join(got, "; "), strings.Join(c.want, "; "))
		}
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for expression, reason := range map[string]string{
		"":                      "has 0 fields",
		"* * * *":               "has 4 fields",
		"0 * * * * *":           "has 6 fields",
		"60 * * * *":            `minute "60": must be a number from 0 to 59`,
		"-1 * * * *":            "must be a number",
		"0 24 * * *":            `hour "24"`,
		"0 0 0 * *":             "from 1 to 31",
		"0 0 32 * *":            "from 1 to 31",
		"0 0 * 13 *":            "or a name from jan to dec",
		"0 0 * 0 *":             "or a name from jan to dec",
		"0 0 * * 8":             "or a name from sun to sat",
		"0 0 * * mond":          "or a name from sun to sat",
		"0 0 * mon *":           "or a name from jan to dec",
		"jan * * * *":           "from 0 to 59",
		"5-1 * * * *":           "runs backwards: write it as two, 5-59,0-1",
		"0 0 * * fri-mon":       "runs backwards",
		"5/15 * * * *":          "write 5-59/15",
		"*/0 * * * *":           "from 1 to 59",
		"*/60 * * * *":          "from 1 to 59",
		"*/ * * * *":            "from 1 to 59",
		"*/1/2 * * * *":         "from 1 to 59",
		"1,,2 * * * *":          `minute ""`,
		"1, * * * *":            `minute ""`,
		"1-2-3 * * * *":         "must be a number",
		"** * * * *":            "must be a number",
		"+5 * * * *":            "must be a number",
		"005 * * * *":           "must be a number",
		"\u0665 * * * *":        "must be a number",
		"? * * * *":             "must be a number",
		"0 0 L * *":             "must be a number",
		"0 0 30 2 *":            "never happens",
		"0 0 31 4,6,9,11 */1":   "never happens",
		"@reboot":               "no such name",
		"@every 5m":             "no such name",
		strings.Repeat("*", 99): "has 1 fields",
	} {
		if _, err := Parse(expression, time.UTC); err == nil || !strings.Contains(err.Error(), reason) {
			t.Errorf("%q: got %v, want an error that says %q", expression, err, reason)
		}
	}
}

// oracle finds the next time minute by minute, with a clock on the wall.
func oracle(s *Schedule, after time.Time, limit int) (next time.Time, ok bool) {
	wallOf := func(t time.Time) int64 {
		_, offset := t.In(s.loc).Zone()
		return t.Unix() + int64(offset)
	}
	named := func(wall int64) bool {
		w := time.Unix(wall, 0).UTC()
		day := s.day.has(w.Day())
		weekday := s.weekday.has(int(w.Weekday()))
		either := day && weekday
		if !s.day.every && !s.weekday.every {
			either = day || weekday
		}
		return s.minute.has(w.Minute()) && s.hour.has(w.Hour()) && s.month.has(int(w.Month())) && either
	}
	// It looks at the clock from two days before, to know what has been there.
	t := after.Add(-48 * time.Hour).Truncate(time.Minute)
	last, seen := wallOf(t), wallOf(t)
	for range limit {
		t = t.Add(time.Minute)
		wall := wallOf(t)
		happens := named(wall)
		if !s.pace {
			happens = happens && wall > seen
			for skipped := last + 60; skipped < wall; skipped += 60 {
				happens = happens || skipped > seen && named(skipped)
			}
		}
		last, seen = wall, max(seen, wall)
		if happens && t.After(after) {
			return t, true
		}
	}
	return time.Time{}, false
}

var zoneNames = []string{
	"UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Beirut", "Pacific/Apia",
	"America/St_Johns", "Asia/Kathmandu", "Africa/Cairo", "America/Sao_Paulo", "Pacific/Kwajalein", "Antarctica/Troll", "Africa/Casablanca",
}

// FuzzNext holds Parse to a form that can be printed and read again, and Next to
// a search minute by minute.
func FuzzNext(f *testing.F) {
	for i, expression := range []string{
		"* * * * *", "*/7 2 * * *", "0 */5 * * *", "30 2 29 3 sun", "0 0 1 * mon", "@weekly", "0-59/13 0-23/7 */3 * *", "15 2,3 * mar-oct 0", "0,30 * * * *", "1 24 * * *", "59 23 31 12 7",
	} {
		for zone := range zoneNames {
			f.Add(expression, uint8(zone), int64(1_774_742_400+i*3600)) // about the end of March 2026
		}
		f.Add(expression, uint8(1), int64(1_792_886_400))
		f.Add(expression, uint8(5), int64(1_325_152_800))
		f.Add(expression, uint8(6), int64(1_289_096_000))
	}
	f.Fuzz(func(t *testing.T, expression string, zone uint8, at int64) {
		loc := zoneOf(t, zoneNames[int(zone)%len(zoneNames)])
		s, err := Parse(expression, loc)
		if err != nil {
			if !strings.Contains(err.Error(), fmt.Sprintf("%q", expression)) {
				t.Fatalf("the error does not name what is wrong: %v", err)
			}
			return
		}
		// From 1975, since when offsets are whole minutes, to 2100.
		const from, years = 157_766_400, 125 * 365 * 86400
		after := time.Unix(from+(at%years+years)%years, 0)
		const limit = 45 * 24 * 60
		want, within := oracle(s, after, limit)
		got := s.Next(after)
		if within && !got.Equal(want) || !within && !got.IsZero() && got.Before(after.Add((limit-3*24*60)*time.Minute)) {
			t.Fatalf("%s in %s after %s is %s, want %s (found: %t)", expression, loc, after.In(loc), got, want.In(loc), within)
		}
	})
}

func BenchmarkNext(b *testing.B) {
	for _, expression := range []string{"* * * * *", "0 3 * * *", "0 0 29 2 *"} {
		b.Run(expression, func(b *testing.B) {
			s := mustParse(b, expression, zoneOf(b, "Europe/Berlin"))
			at := time.Date(2026, 11, 22, 17, 6, 0, 0, time.UTC)
			b.ReportAllocs()
			for b.Loop() {
				s.Next(at)
			}
		})
	}
}
