package job

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"reflect"
	"runtime"
	"time"
)

// Handler is who runs the jobs of a queue. Make one with [On].
type Handler struct{ spec *spec }

// spec is what was declared.
type spec struct {
	queue  string
	source string // file and line
	zero   string // the payload of a scheduled job
	run    func(ctx context.Context, payload string) error

	attempts    int
	timeout     time.Duration
	concurrency int // in this process; 0 is half of the workers
	total       int // in all processes; 0 is unbounded
	base, most  time.Duration
	keep        time.Duration
	cpu         bool
	schedules   []*schedule

	errs []error
}

// Defaults of a handler, and bounds of what it may say.
const (
	DefaultAttempts = 15
	DefaultTimeout  = time.Minute
	DefaultKeep     = 24 * time.Hour

	maxAttempts    = 100
	maxTimeout     = 24 * time.Hour
	maxConcurrency = 1000
	firstBackoff   = time.Second
	mostBackoff    = time.Hour
)

// On has fn run the jobs of a queue. A job is done when fn returns nil; after
// an error or a panic it is tried again later, and after the last attempt it is
// a dead letter. fn may be called by many goroutines at once, and more than once
// for one job; see [Complete] for effects that must not happen twice.
//
// Ctx ends when the job's time is over, when it is cancelled, when its worker
// has to go and when the job was given to another one; [context.Cause] tells
// these apart. What is not done then is fn's to leave in good order: nothing
// else stops it.
func On[P any](q Queue[P], fn func(ctx context.Context, payload P) error, options ...HandlerOption) Handler {
	s := &spec{queue: string(q), attempts: DefaultAttempts, timeout: DefaultTimeout, keep: DefaultKeep, base: firstBackoff, most: mostBackoff}
	if _, file, line, ok := runtime.Caller(1); ok {
		s.source = fmt.Sprintf("%s:%d", path.Join(path.Base(path.Dir(file)), path.Base(file)), line)
	}
	if fn == nil {
		s.mistake("has no function")
	}
	if !queueForm.MatchString(s.queue) || len(s.queue) > maxQueue {
		s.mistake("the queue's name is not of the form %q, in at most %d bytes", "payment.settle", maxQueue)
	}
	var zero P
	if text, err := json.Marshal(zero); err != nil {
		s.mistake("a %s cannot be kept as JSON: %w", reflect.TypeFor[P](), err)
	} else {
		s.zero = string(text)
	}
	s.run = func(ctx context.Context, text string) error {
		payload, err := decode[P](text)
		if err != nil {
			return Permanent(err)
		}
		return fn(ctx, payload)
	}
	for _, o := range options {
		o(s)
	}
	return Handler{s}
}

// decode reads a payload. The error says what does not fit, not what is there:
// it goes into the log.
func decode[P any](text string) (P, error) {
	var payload P
	err := json.Unmarshal([]byte(text), &payload)
	if err == nil {
		return payload, nil
	}
	reason := "it is not the JSON that this type is read from"
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		reason = fmt.Sprintf("member %q is no %s", cmp.Or(wrong.Field, "(all)"), wrong.Type)
	} else if wrong, ok := errors.AsType[*json.SyntaxError](err); ok {
		reason = fmt.Sprintf("it is no JSON from byte %d on", wrong.Offset)
	}
	return payload, fmt.Errorf("the payload does not read as %s, which may have changed since the job was added: %s", reflect.TypeFor[P](), reason)
}

// A HandlerOption says something about a [Handler].
type HandlerOption func(*spec)

// Attempts is how often a job is tried before it is a dead letter, the first
// time included. The default is 15, which with the default backoff takes an hour
// and a half.
func Attempts(n int) HandlerOption {
	return func(s *spec) {
		s.within("Attempts", n, 1, maxAttempts)
		s.attempts = n
	}
}

// Timeout is how long one run may take, until its ctx ends and it counts as
// failed. The default is a minute. Who does not obey its ctx keeps its place,
// and the job is not tried again beside it.
func Timeout(d time.Duration) HandlerOption {
	return func(s *spec) {
		if d <= 0 || d > maxTimeout {
			s.mistake("Timeout(%s): must be above 0 and at most %s", d, maxTimeout)
		}
		s.timeout = d
	}
}

// Concurrency is how many jobs of the queue may run at once in one process. The
// default is half of its workers, so that one queue alone cannot keep all of
// them busy.
func Concurrency(n int) HandlerOption {
	return func(s *spec) {
		s.within("Concurrency", n, 1, maxConcurrency)
		s.concurrency = n
	}
}

// InTotal is how many jobs of the queue may run at once in all processes
// together: what a service behind them can bear. Processes then take turns at
// looking for such jobs.
func InTotal(n int) HandlerOption {
	return func(s *spec) {
		s.within("InTotal", n, 1, maxConcurrency)
		s.total = n
	}
}

// Backoff bounds the pause before a job is tried again. It is drawn from zero to
// a bound that begins at first and doubles with each attempt, up to most: spread
// evenly, so that jobs which failed together do not all come back together. The
// default is 1 s and 1 h.
func Backoff(first, most time.Duration) HandlerOption {
	return func(s *spec) {
		if first <= 0 || most < first {
			s.mistake("Backoff(%s, %s): must be above 0, and the second not below the first", first, most)
		}
		s.base, s.most = first, most
	}
}

// Keep is how long a job can be looked at once it is done or cancelled. The
// default is a day; 0 removes it with its end, which costs the least.
func Keep(d time.Duration) HandlerOption {
	return func(s *spec) {
		if d < 0 {
			s.mistake("Keep(%s): must not be negative", d)
		}
		s.keep = d
	}
}

// CPU says that the jobs compute. They take their turn in the runner's pool, so
// that they do not keep processors from requests; while that is full they wait
// in the queue, and no attempt is counted.
func CPU() HandlerOption { return func(s *spec) { s.cpu = true } }

func (s *spec) within(option string, n, least, most int) {
	if n < least || n > most {
		s.mistake("%s(%d): must be from %d to %d", option, n, least, most)
	}
}

func (s *spec) mistake(format string, args ...any) {
	s.errs = append(s.errs, fmt.Errorf("%s: %s: %w", s.source, cmp.Or(s.queue, "unnamed queue"), fmt.Errorf(format, args...)))
}

// Check returns all mistakes in the declarations at once, each with its file and
// line: names that are none or taken, handlers without a function, numbers out of
// bounds, schedules that cannot be read.
func Check(handlers []Handler) error {
	var errs []error
	first := map[string]*spec{}
	for _, h := range handlers {
		if h.spec == nil {
			errs = append(errs, errors.New("a job.Handler is the zero value: make it with job.On"))
			continue
		}
		errs = append(errs, h.spec.errs...)
		if twin, taken := first[h.spec.queue]; taken {
			errs = append(errs, fmt.Errorf("%s: %s: the queue has a handler already, at %s", h.spec.source, h.spec.queue, twin.source))
			continue
		}
		first[h.spec.queue] = h.spec
	}
	return errors.Join(errs...)
}
