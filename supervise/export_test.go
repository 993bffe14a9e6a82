package supervise

import "time"

// SetReadyTimeout is for a test that waits long for a good program and shortly
// for a bad one. No worker may be starting.
func (p *Parent) SetReadyTimeout(d time.Duration) { p.cfg.ReadyTimeout = d }

// Fits tells whether a filter takes a line.
func Fits(f Filter, text string) bool { return f.fits(Line{Worker: 1, Text: text}) }
