package logs

import (
	"log/slog"
	"sync"
	"time"
)

// Level is the least level written, and can be another one for a while: what
// was opened up to find a fault closes again by itself. It is a [slog.Leveler]
// for [Options.Level], and safe for concurrent use. Make one with [NewLevel].
type Level struct {
	now slog.LevelVar

	mu    sync.Mutex
	usual slog.Level
	until time.Time // zero while usual
	end   *time.Timer
}

// NewLevel returns a level that is usual, but for the times that Set gives.
func NewLevel(usual slog.Level) *Level {
	l := &Level{usual: usual}
	l.now.Set(usual)
	return l
}

// Level returns the level of this moment.
func (l *Level) Level() slog.Level { return l.now.Level() }

// State returns the level of this moment, the usual one, and when that is back:
// never, a zero time, while nothing else was set.
func (l *Level) State() (now, usual slog.Level, until time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.now.Level(), l.usual, l.until
}

// Set has level hold for a while instead of the usual one, and instead of what
// was set before. It returns when the usual one is back.
func (l *Level) Set(level slog.Level, while time.Duration) (until time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stop()
	l.now.Set(level)
	l.until = time.Now().Add(while)
	var end *time.Timer
	end = time.AfterFunc(while, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.end == end { // it may have run out just when it was stopped
			l.back()
		}
	})
	l.end = end
	return l.until
}

// Reset brings the usual level back now.
func (l *Level) Reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stop()
	l.back()
}

func (l *Level) stop() {
	if l.end != nil {
		l.end.Stop()
	}
}

func (l *Level) back() {
	l.now.Set(l.usual)
	l.until, l.end = time.Time{}, nil
}
