package ashlar

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/ashlar-go/ashlar/supervise"
)

// changedLevel is what the log's level was changed to for a while, for workers
// that start later.
type changedLevel struct {
	changing sync.Mutex // while workers are told

	mu   sync.Mutex
	last logLevel
}

// told is the level as workers are told it: empty while the usual one holds.
func (l *changedLevel) told() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.last.Until == nil || !time.Now().Before(*l.last.Until) {
		return ""
	}
	return l.last.Level + " " + l.last.Until.Format(time.RFC3339Nano)
}

// levelFrom reads what told wrote: a level, and for how long it still holds.
func levelFrom(told string) (level slog.Level, name string, while time.Duration, ok bool) {
	name, until, _ := strings.Cut(told, " ")
	at, err := time.Parse(time.RFC3339Nano, until)
	if err != nil || level.UnmarshalText([]byte(name)) != nil {
		return 0, "", 0, false
	}
	while = min(time.Until(at), levelLongest)
	return level, name, while, while > 0
}

// changeLevel has every worker change the level, and remembers it for those that
// start later.
func (f *fleet) changeLevel(w http.ResponseWriter, r *http.Request) {
	f.level.changing.Lock()
	defer f.level.changing.Unlock()
	first := f.passOn(w, r)
	if first == nil {
		return
	}
	var l logLevel
	if first.status == http.StatusOK && json.Unmarshal(first.body, &l) == nil {
		f.level.mu.Lock()
		f.level.last = l
		f.level.mu.Unlock()
	}
	first.write(w)
}

// tellNow is what a worker that starts now is told.
func (f *fleet) tellNow() map[string]string { return map[string]string{levelNow: f.level.told()} }

// joined has a worker whose start a change has overtaken make it too.
func (f *fleet) joined(p supervise.Process) {
	f.level.changing.Lock()
	defer f.level.changing.Unlock()
	now := f.level.told()
	if now == p.Told(levelNow) {
		return
	}
	method, body := http.MethodDelete, ""
	if _, name, while, ok := levelFrom(now); ok {
		method, body = http.MethodPut, fmt.Sprintf(`{"level":%q,"for":%q}`, name, max(while, levelShortest).Round(time.Second))
	}
	a, err := askWorker(context.Background(), p, method, "/log/level", http.Header{"Content-Type": {"application/json"}}, []byte(body))
	if err != nil || a.status != http.StatusOK {
		f.log.Warn("a worker was not told the log's level", "worker", p.Worker, "status", a.status, "error", err)
	}
}

// followLevel takes the level that was set before this worker started.
func (a *App) followLevel(w *supervise.Worker) {
	if w == nil {
		return
	}
	if level, _, while, ok := levelFrom(w.Told(levelNow)); ok {
		a.level.Set(level, while)
	}
}
