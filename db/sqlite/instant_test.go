package sqlite_test

import (
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/db/sqlite"
)

func TestTimeIsReadInOtherFormsToo(t *testing.T) {
	t.Parallel()
	want := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	for _, text := range []string{"2026-03-04T05:06:07.000000Z", "2026-03-04 05:06:07", "2026-03-04T07:06:07+02:00", "2026-03-04 05:06:07.000"} {
		if got, err := sqlite.ParseTime([]byte(text)); err != nil || !got.Equal(want) || got.Location() != time.UTC {
			t.Errorf("%s: %s, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "now", "2026-02-30T00:00:00.000000Z", "2026-13-01T00:00:00.000000Z", "2026-01-01T24:00:00.000000Z", "2026-01-01T00:60:00.000000Z", "2026-01-01T00:00:00.00000xZ"} {
		if got, err := sqlite.ParseTime([]byte(text)); err == nil {
			t.Errorf("%q was read as %s", text, got)
		}
	}
}

// FuzzTime has the time package as its oracle.
func FuzzTime(f *testing.F) {
	const layout = "2006-01-02T15:04:05.000000Z"
	f.Add("2026-03-04T05:06:07.123456Z", int64(1))
	f.Add("2024-02-29T23:59:59.999999Z", int64(-62135596800_000_000))
	f.Add("2023-02-29T23:59:60.999999Z", int64(253402300799_999_999))
	f.Fuzz(func(t *testing.T, text string, micros int64) {
		if len(text) == len(layout) {
			want, wantErr := time.Parse(layout, text)
			got, err := sqlite.ParseTime([]byte(text))
			// The oracle also reads what it would not write, such as a comma.
			if wantErr == nil && want.Format(layout) == text && (err != nil || !got.Equal(want)) {
				t.Errorf("%q: got %s, %v, want %s", text, got, err, want)
			}
		}
		at := time.UnixMicro(micros).UTC()
		if at.Year() < 0 || at.Year() > 9999 {
			return
		}
		if got, want := string(sqlite.AppendTime(nil, at)), at.Format(layout); got != want {
			t.Errorf("wrote %s, want %s", got, want)
		}
		if back, err := sqlite.ParseTime(sqlite.AppendTime(nil, at)); err != nil || !back.Equal(at) {
			t.Errorf("%s came back as %s, %v", at, back, err)
		}
	})
}
