package event

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/id"
	"github.com/ashlar-go/ashlar/internal/codec"
	"github.com/ashlar-go/ashlar/rule"
	"github.com/ashlar-go/ashlar/trace"
)

// A Topic is a kind of event whose payload is a T. Declare it as a constant:
//
//	const Captured event.Topic[Payment] = "payment.captured"
//
// A name is lower-case words of letters, digits, - and _, joined by dots, of at
// most 100 bytes.
type Topic[T any] string

// Bounds of an event.
const (
	// MaxPayload is the greatest size of a payload, in bytes of JSON. Of what
	// is larger, publish a reference.
	MaxPayload = 256 << 10
	// MaxKey is the greatest length of a key and of a scope, in bytes.
	MaxKey = 200
	// maxTopic is the greatest length of a topic.
	maxTopic = 100
)

// Keyed is a payload that names its key: what it is about, such as the id of a
// payment. Events of one key are seen by everybody in the order in which their
// transactions committed, if each of these transactions locks or changes a row
// of the thing before it publishes, as one that changes it must. Without a key
// an event has a place in the log and no order that means anything.
type Keyed interface{ EventKey() string }

// Scoped is a payload that names its scope: whose event it is, such as the id
// of an account. Readers can ask for one scope, which is cheap however many
// other events there are.
type Scoped interface{ EventScope() string }

// Versioned is a payload that has another form than it had: the number grows
// when the form changes in a way that old consumers cannot read. Without it the
// version is 1.
type Versioned interface{ EventVersion() int }

// An Option of [Topic.Publish].
type Option struct {
	what  uint8
	value string
}

const (
	withKey = iota + 1
	withScope
)

// WithKey gives the event a key, in place of the payload's; see [Keyed].
func WithKey(key string) Option { return Option{withKey, key} }

// WithScope gives the event a scope, in place of the payload's; see [Scoped].
func WithScope(scope string) Option { return Option{withScope, scope} }

// Publish writes an event in the caller's transaction: it is there when the
// transaction has committed, and only then. Events of one transaction keep
// their order. It costs one insert; nobody waits for anybody.
func (t Topic[T]) Publish(ctx context.Context, tx *db.Tx, payload T, options ...Option) error {
	r := Record{Topic: string(t), Version: 1}
	p := any(&payload)
	if k, ok := p.(Keyed); ok {
		r.Key = k.EventKey()
	}
	if s, ok := p.(Scoped); ok {
		r.Scope = s.EventScope()
	}
	if v, ok := p.(Versioned); ok {
		r.Version = v.EventVersion()
	}
	for _, o := range options {
		switch o.what {
		case withKey:
			r.Key = o.value
		case withScope:
			r.Scope = o.value
		}
	}
	text, err := encode[T](&payload)
	if err != nil {
		return fmt.Errorf("event: %s: write the payload: %w", t, err)
	}
	if err := r.check(len(text)); err != nil {
		return err
	}
	r.ID = id.New("evt_")
	err = tx.Send(ctx, statements(tx.Dialect()).publish,
		r.ID, r.Topic, r.Key, r.Scope, int64(r.Version), time.Now().UnixMilli(), trace.From(ctx).Traceparent(), text)
	if err != nil {
		return fmt.Errorf("event: publish %s: %w", t, err)
	}
	tx.Signal(channel, r.ID+" "+r.Topic+" "+r.Key)
	return nil
}

// check reports what the log would not keep, or could not give back.
func (r *Record) check(size int) error {
	if err := checkTopic(r.Topic); err != nil {
		return err
	}
	if err := checkName(r.Topic, "key", r.Key); err != nil {
		return err
	}
	if err := checkName(r.Topic, "scope", r.Scope); err != nil {
		return err
	}
	if r.Version < 1 {
		return fmt.Errorf("event: %s: the version of the payload is %d; they start with 1", r.Topic, r.Version)
	}
	if size > MaxPayload {
		return fmt.Errorf("event: %s: the payload has %d bytes; %d is the most: publish a reference to what is large", r.Topic, size, MaxPayload)
	}
	return nil
}

func checkName(topic, what, text string) error {
	switch {
	case len(text) > MaxKey:
		return fmt.Errorf("event: %s: the %s has %d bytes; %d is the most", topic, what, len(text), MaxKey)
	case !utf8.ValidString(text), strings.IndexByte(text, 0) >= 0:
		return fmt.Errorf("event: %s: the %s is no text: it must be UTF-8 without NUL", topic, what)
	}
	return nil
}

func checkTopic(topic string) error {
	word := false // the last byte belongs to one
	for i := range len(topic) {
		switch b := topic[i]; {
		case b >= 'a' && b <= 'z', word && (b >= '0' && b <= '9' || b == '_' || b == '-'):
			word = true
		case word && b == '.':
			word = false
		default:
			return fmt.Errorf("event: %q is no topic: it is words of a-z, 0-9, - and _, each starting with a letter and joined by dots", topic)
		}
	}
	if !word || len(topic) > maxTopic {
		return fmt.Errorf("event: %q is no topic: it is words joined by dots, of at most %d bytes", topic, maxTopic)
	}
	return nil
}

// codecs remembers how a type is written, as encoding/json does.
var codecs sync.Map // reflect.Type to func() (*codec.Encoder, error)

func encode[T any](payload *T) (string, error) {
	compile, ok := codecs.Load(reflect.TypeFor[T]())
	if !ok {
		compile, _ = codecs.LoadOrStore(reflect.TypeFor[T](), sync.OnceValues(func() (*codec.Encoder, error) {
			described, err := rule.Describe(reflect.TypeFor[T]())
			if err != nil {
				return nil, err
			}
			return codec.CompileEncoder(described)
		}))
	}
	encoder, err := compile.(func() (*codec.Encoder, error))()
	if err != nil {
		return "", err
	}
	buffer := buffers.Get().(*[]byte)
	defer buffers.Put(buffer)
	text, err := encoder.Append((*buffer)[:0], payload)
	if cap(text) <= maxSpare {
		*buffer = text
	}
	return string(text), err
}

// buffers are for payloads while they are written.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

// maxSpare is the largest buffer that is kept for the next payload.
const maxSpare = 16 << 10
