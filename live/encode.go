package live

import (
	"encoding/json"
	"reflect"
	"sync"

	"github.com/ashlar-go/ashlar/internal/codec"
	"github.com/ashlar-go/ashlar/internal/sse"
	"github.com/ashlar-go/ashlar/op"
)

// form is how a wire has its items: as an event, as a message of a WebSocket, or
// as nothing but its value, for somebody who says it in another way.
type form uint8

const (
	asEvent   form = iota // id: …, event: …, data: …
	asMessage             // {"id":…,"event":…,"data":…}
	asValue               // …
	forms
)

// encode writes an item, a pointer to one, in a form. What it returns must not
// be changed: it may be what others get too. kept says that buf may be used
// again.
func (h *Handler) encode(buf []byte, item any, f form) (frame []byte, kept bool, err error) {
	if b, ok := item.(op.Broadcast); ok {
		if same := b.Same(); same != nil && reflect.TypeOf(same).Comparable() {
			frame, err = h.once.encode(h, same, item, f)
			return frame, false, err
		}
	}
	frame, err = h.append(buf, item, f)
	return frame, true, err
}

// append encodes an item.
func (h *Handler) append(buf []byte, item any, f form) ([]byte, error) {
	id, err := h.idOf(item)
	if err != nil {
		return nil, err
	}
	var kind string
	if h.spec.Named {
		kind = item.(op.Named).EventType()
		if err := checkType(kind); err != nil {
			return nil, err
		}
	}
	switch f {
	case asValue:
		return h.encoder.Append(buf, item)
	case asMessage:
		buf, err := h.encoder.Append(appendMember(buf, id, kind), item)
		return append(buf, '}'), err
	case asEvent, forms:
	}
	buf = sse.AppendHead(buf, id, kind)
	from := len(buf)
	if buf, err = h.encoder.Append(buf, item); err != nil {
		return nil, err
	}
	return sse.AppendTail(buf, from), nil
}

// idOf returns what the item says of the place behind it.
func (h *Handler) idOf(item any) (string, error) {
	if !h.spec.Identified {
		return "", nil
	}
	id := item.(op.Identified).EventID()
	return id, checkID(id)
}

// appendMember begins the message of an item or an end, up to its data.
func appendMember(b []byte, id, kind string) []byte {
	b = append(b, '{')
	if id != "" {
		b = append(appendText(append(b, `"id":`...), id), ',')
	}
	if kind != "" {
		b = append(appendText(append(b, `"event":`...), kind), ',')
	}
	return append(b, `"data":`...)
}

// appendText appends a text as JSON.
func appendText(b []byte, text string) []byte {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			quoted, err := json.Marshal(text)
			if err != nil { // a text always encodes
				return append(b, `""`...)
			}
			return append(b, quoted...)
		}
	}
	return append(append(append(b, '"'), text...), '"')
}

// once encodes items that go to many streams once. It keeps the last few: who
// is further behind is on its own.
type once struct {
	mu   sync.Mutex
	last [16]broadcast
	next int
}

type broadcast struct {
	same   any
	item   any // a copy of it
	frames [forms][]byte
}

func (o *once) encode(h *Handler, same, item any, f form) ([]byte, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	b := o.find(same, item)
	if b == nil {
		b = &o.last[o.next]
		o.next = (o.next + 1) % len(o.last)
		copied := reflect.New(h.spec.Out.Go)
		copied.Elem().Set(reflect.ValueOf(item).Elem())
		*b = broadcast{same: same, item: copied.Interface()}
	}
	if b.frames[f] == nil {
		frame, err := h.append(nil, item, f)
		if err != nil {
			return nil, err
		}
		b.frames[f] = frame
	}
	return b.frames[f], nil
}

// find returns what was encoded of the same item. One that somebody has changed
// for their caller, to hide a part of it above all, is another one.
func (o *once) find(same, item any) *broadcast {
	for i := range o.last {
		if b := &o.last[i]; b.same == same && codec.Alike(b.item, item) {
			return b
		}
	}
	return nil
}
