package ashlartest_test

import (
	"context"
	"fmt"
	"iter"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar"
	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/ashlartest"
	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/op"
	"github.com/ashlar-go/ashlar/rule"
)

// words is a stream of words that a test puts on, and of one that was there.
type words struct {
	mu    sync.Mutex
	all   []word
	fails error
	more  chan struct{} // closed and replaced when there is news
}

type word struct {
	N    int    `json:"n"`
	Text string `json:"text"`
}

func (w word) EventID() string { return fmt.Sprint(w.N) }

func (w word) EventType() string {
	if strings.HasSuffix(w.Text, "!") {
		return "cry"
	}
	return ""
}

type following struct {
	Account string `json:"account"`
	After   int    `json:"after,omitzero"`
}

func (f *following) Rules(r *rule.Set) { rule.Number(r, &f.After).Between(0, 100) }

func newWords() *words { return &words{more: make(chan struct{})} }

func (w *words) say(text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all = append(w.all, word{len(w.all) + 1, text})
	close(w.more)
	w.more = make(chan struct{})
}

func (w *words) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fails = err
	close(w.more)
	w.more = make(chan struct{})
}

func (w *words) after(n int) ([]word, <-chan struct{}, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.all[min(n, len(w.all)):], w.more, w.fails
}

func (w *words) follow(ctx context.Context, in following) iter.Seq2[word, error] {
	return func(yield func(word, error) bool) {
		if in.Account != access.From(ctx).Account {
			yield(word{}, errNoNote)
			return
		}
		op.Opened(ctx)
		for at := in.After; ; {
			list, more, failure := w.after(at)
			for _, one := range list {
				if !yield(one, nil) {
					return
				}
				if at = one.N; one.Text == "done" {
					return
				}
			}
			if failure != nil {
				yield(word{}, failure)
				return
			}
			select {
			case <-more:
			case <-ctx.Done():
				return
			}
		}
	}
}

func speech(t *testing.T) (*words, *ashlartest.App) {
	t.Helper()
	w, app := newWords(), ashlartest.Open(t)
	app.Mount(ashlar.Module{Name: "words", Operations: []op.Operation{
		op.Stream("words.follow", "GET /words/{account}", w.follow, op.Allow(read), op.Fails(errNoNote)),
	}})
	return w, app
}

func TestListen(t *testing.T) {
	t.Parallel()
	w, app := speech(t)
	ann := app.As("ann", read)
	listen := func(c *ashlartest.Client) *ashlartest.Listener[word] {
		return ashlartest.Listen[word](c, "words.follow", map[string]any{"account": "ann"})
	}
	l := listen(ann)
	l.Silent(10 * time.Millisecond)
	w.say("one")
	w.say("two!")
	if got := l.Next(); got.Text != "one" || l.ID() != "1" || l.Type() != "message" {
		t.Errorf("got %+v, %s %s", got, l.ID(), l.Type())
	}
	if got := l.Next(); got.Text != "two!" || l.ID() != "2" || l.Type() != "cry" {
		t.Errorf("got %+v, %s %s", got, l.ID(), l.Type())
	}
	l.Leave()
	w.say("three")
	w.say("done")
	again := listen(ann.With("Last-Event-ID", l.ID()))
	if got := again.Next(); got.Text != "three" {
		t.Errorf("after a pause: %+v", got)
	}
	again.Next()
	again.Ends("completed")

	listen(app.As("ann")).Denied()
	ashlartest.Listen[word](app.As("bob", read), "words.follow", map[string]any{"account": "ann"}).Fails(errNoNote)
	ashlartest.Listen[word](ann, "words.follow", map[string]any{"account": "ann", "after": 101, "what": 1}).Invalid("/after", "/what")
	if w := ann.Do("GET", "/words/ann", ""); w.Code != 200 {
		t.Errorf("a request of a stream answers %d", w.Code)
	}

	late := listen(ann.With("Last-Event-ID", "4"))
	w.fail(errNoNote.Because("It has gone."))
	if p := late.Fails(errNoNote); p.Detail != "It has gone." {
		t.Errorf("the problem is %+v", p)
	}
}

// What a listener finds wrong ends the test.
func TestListenerFailures(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		do   func(t testing.TB, app *ashlartest.App, w *words)
		want string
	}{
		"it ends": {func(t testing.TB, app *ashlartest.App, w *words) {
			w.say("done")
			l := listenAs(app, "ann")
			l.Next()
			l.Next()
		}, "ended: end"},
		"it is refused": {func(t testing.TB, app *ashlartest.App, w *words) { listenAs(app, "bob").Next() }, "was refused: 404"},
		"it goes on": {func(t testing.TB, app *ashlartest.App, w *words) {
			w.say("one")
			listenAs(app, "ann").Ends("completed")
		}, "did not end with completed"},
		"it is not silent": {func(t testing.TB, app *ashlartest.App, w *words) {
			w.say("one")
			listenAs(app, "ann").Silent(time.Hour)
		}, "sent something"},
		"it does not fail": {func(t testing.TB, app *ashlartest.App, w *words) {
			w.say("one")
			listenAs(app, "ann").Fails(errNoNote)
		}, "did not fail"},
		"it fails otherwise": {func(t testing.TB, app *ashlartest.App, w *words) {
			w.fail(fault.ErrStale)
			w.say("one")
			l := listenAs(app, "ann")
			l.Next()
			l.Fails(errNoNote)
		}, "failed with 412 stale"},
		"another type": {func(t testing.TB, app *ashlartest.App, w *words) {
			ashlartest.Listen[note](app.As("ann", read), "words.follow", nil)
		}, "sends ashlartest_test.word"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, app := newWords(), (*ashlartest.App)(nil)
			log := failures(t, func(tb testing.TB) {
				app = ashlartest.Open(tb)
				app.Mount(ashlar.Module{Name: "words", Operations: []op.Operation{
					op.Stream("words.follow", "GET /words/{account}", w.follow, op.Allow(read), op.Fails(errNoNote)),
				}})
				c.do(tb, app, w)
			})
			if !strings.Contains(log, c.want) || name != "another type" && !strings.Contains(log, "request\n    GET /words/ann\n") {
				t.Errorf("the test says %q", log)
			}
		})
	}
}

func listenAs(app *ashlartest.App, account string) *ashlartest.Listener[word] {
	return ashlartest.Listen[word](app.As(account, read), "words.follow", map[string]any{"account": "ann"})
}

// failures returns what fn, as a test of its own, says when it fails.
func failures(t *testing.T, fn func(testing.TB)) string {
	t.Helper()
	f := &failing{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		fn(f)
	}()
	<-done
	for _, cleanup := range slices.Backward(f.cleanups) {
		cleanup()
	}
	return f.said.String()
}

type failing struct {
	testing.TB
	said     strings.Builder
	cleanups []func()
}

func (f *failing) Helper()           {}
func (f *failing) Cleanup(fn func()) { f.cleanups = append(f.cleanups, fn) }

func (f *failing) Errorf(format string, args ...any) { fmt.Fprintf(&f.said, format, args...) }

func (f *failing) Fatalf(format string, args ...any) {
	f.Errorf(format, args...)
	runtime.Goexit()
}

func (f *failing) Fatal(args ...any) { f.Fatalf("%s", fmt.Sprint(args...)) }
