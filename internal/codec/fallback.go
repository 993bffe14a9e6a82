package codec

import (
	"bytes"
	"encoding"
	"errors"
	"strconv"
	"time"
	"unsafe"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// foreign reads the value at the cursor with the fallback library, unless it
// is a text for a type that reads texts.
func (r *Reading) foreign(n *node, p unsafe.Pointer, c byte) bool {
	if n.readsText && c == '"' {
		s, _, _, ok := r.text()
		if ok {
			r.keepForeign(n, p, unsafe.Slice(unsafe.StringData(s), len(s)))
		}
		return ok
	}
	start := r.i
	switch {
	case !r.skip():
		return false
	case c == 'n' && !n.nullable:
		r.violate(nullRefused)
		return true
	}
	if err := json.Unmarshal(r.b[start:r.i], n.addr(p), reading); err != nil {
		r.violateForeign(err)
	}
	return true
}

// keepForeign gives the text to the type itself.
func (r *Reading) keepForeign(n *node, p unsafe.Pointer, s []byte) {
	if err := n.addr(p).(encoding.TextUnmarshaler).UnmarshalText(s); err != nil {
		r.violate(notThisForm)
	}
}

// violateForeign notes what the library refused. Its error texts quote the
// body, so nothing of them is kept.
func (r *Reading) violateForeign(err error) {
	of := *notThisType
	if semantic, ok := errors.AsType[*json.SemanticError](err); ok {
		for token := range semantic.JSONPointer.Tokens() {
			of.Pointer += Segment(token)
		}
		switch {
		case errors.Is(err, json.ErrUnknownName):
			of.Code, of.Detail = unknown.Code, unknown.Detail
		case errors.Is(err, errNotExact):
			of.Code, of.Detail = notExact.Code, notExact.Detail
		case errors.Is(err, errNotTime):
			of.Code, of.Detail = notTime.Code, notTime.Detail
		case errors.Is(err, strconv.ErrRange):
			of.Code, of.Detail = notFloat.Code, notFloat.Detail
		case semantic.JSONKind == '"':
			of.Code, of.Detail = notThisForm.Code, notThisForm.Detail
		}
	}
	r.violate(&of)
}

var (
	errNotExact = errors.New("a whole number that a float cannot hold")
	errNotTime  = errors.New("a text that is not a time of RFC 3339")
)

// reading are the options that hold the library to the rules of this package.
// Syntax has been checked before.
var reading = json.JoinOptions(
	json.RejectUnknownMembers(true),
	json.WithUnmarshalers(json.JoinUnmarshalers(
		json.UnmarshalFromFunc(readAny),
		json.UnmarshalFromFunc(readTime),
	)),
)

// readAny refuses whole numbers that a float64 would silently change.
func readAny(d *jsontext.Decoder, v *any) error {
	if d.PeekKind() != '0' {
		return errors.ErrUnsupported
	}
	raw, err := d.ReadValue()
	if err != nil {
		return err
	}
	if !bytes.ContainsAny(raw, ".eE") {
		if n, err := strconv.ParseInt(string(raw), 10, 64); err != nil || n > 1<<53 || n < -1<<53 {
			return errNotExact
		}
	}
	f, err := strconv.ParseFloat(string(raw), 64)
	if err != nil {
		return err
	}
	*v = f
	return nil
}

// readTime reads a time as keep does.
func readTime(d *jsontext.Decoder, t *time.Time) error {
	if d.PeekKind() != '"' {
		return errors.ErrUnsupported
	}
	token, err := d.ReadToken()
	if err != nil {
		return err
	}
	var ok bool
	if *t, ok = parseTime(token.String()); !ok {
		return errNotTime
	}
	return nil
}

// writing makes the library write as this package does.
var writing = json.JoinOptions(
	json.Deterministic(true),
	jsontext.AllowInvalidUTF8(true),
	json.WithMarshalers(json.MarshalToFunc(func(e *jsontext.Encoder, t time.Time) error {
		raw, err := appendTime(nil, t)
		if err != nil {
			return err
		}
		return e.WriteValue(raw)
	})),
)
