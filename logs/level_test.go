package logs_test

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ashlar-go/ashlar/logs"
)

func TestALevelComesBackByItself(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		level := logs.NewLevel(slog.LevelWarn)
		holds := func(want slog.Level, left time.Duration) {
			t.Helper()
			synctest.Wait()
			now, usual, until := level.State()
			if now != want || level.Level() != want || usual != slog.LevelWarn {
				t.Fatalf("level %s (%s, usual %s), want %s", level.Level(), now, usual, want)
			}
			if left == 0 != until.IsZero() || left != 0 && time.Until(until) != left {
				t.Fatalf("until %s, want %s from now", until, left)
			}
		}
		holds(slog.LevelWarn, 0)
		level.Set(slog.LevelDebug, 10*time.Minute)
		time.Sleep(9 * time.Minute)
		holds(slog.LevelDebug, time.Minute)
		time.Sleep(time.Minute)
		holds(slog.LevelWarn, 0)

		level.Set(slog.LevelDebug, time.Minute)
		level.Set(slog.LevelError, time.Hour) // the first must not end the second
		time.Sleep(time.Minute)
		holds(slog.LevelError, 59*time.Minute)
		level.Reset()
		holds(slog.LevelWarn, 0)
		time.Sleep(2 * time.Hour)
		holds(slog.LevelWarn, 0)
	})
}

func TestALevelMovesUnderFire(t *testing.T) {
	t.Parallel()
	level := logs.NewLevel(slog.LevelInfo)
	var out bytes.Buffer
	log := logs.New(&out, logs.Options{Level: level})
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for i := range 500 {
				level.Set(slog.LevelDebug, time.Duration(i)*time.Microsecond)
				log.Debug("m")
				level.State()
			}
			level.Reset()
		})
	}
	all.Wait()
	level.Set(slog.LevelError, time.Hour)
	log.Warn("muted")
	level.Reset()
	log.Info("heard")
	if got := out.String(); strings.Contains(got, "muted") || !strings.Contains(got, "heard") {
		t.Errorf("written: %s", got)
	}
}
