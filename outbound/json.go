package outbound

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"reflect"
	"strings"
	"sync"

	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/internal/codec"
	"github.com/ashlar-go/ashlar/rule"
)

// JSON sends the request and reads the answer as a T. What comes from another
// service is read as strictly as what comes from a caller: it must be one JSON
// text, with every member that T requires, of its type and within its rules
// (package rule). Members that T does not know are left out, since services
// grow. Everything else is an error: an answer that is no 2xx is [ErrStatus], a
// redirect among them, and one that is no such JSON is [ErrGarbled].
func JSON[T any](c *Client, req *http.Request) (T, error) {
	var out T
	read, err := decoderOf(reflect.TypeFor[T]())
	if err != nil {
		return out, err
	}
	if req.Header.Get("Accept") == "" {
		req = req.Clone(req.Context())
		req.Header.Set("Accept", "application/json")
	}
	res, err := c.Do(req)
	if err != nil {
		return out, err
	}
	defer func() { _ = res.Body.Close() }()
	failed := func(cause error) (T, error) {
		var none T
		return none, c.policy.failure(describe(req), triesOf(res), true, cause)
	}
	if res.StatusCode/100 != 2 {
		start, _ := io.ReadAll(io.LimitReader(res.Body, 4<<10)) // as much of it as there is
		return failed(ErrStatus.Wrap(&Status{res.StatusCode, start}))
	}
	if kind, _, err := mime.ParseMediaType(res.Header.Get("Content-Type")); err != nil || kind != "application/json" && !strings.HasSuffix(kind, "+json") {
		return failed(ErrGarbled.Wrap(errors.New("the answer is not announced as JSON")))
	}
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return failed(err)
	}
	if err := read.Decode(text, &out); err != nil && !grown(err) {
		return failed(ErrGarbled.Wrap(err))
	}
	return out, nil
}

// grown reports whether an answer breaks no rule but that it has members which
// are not known.
func grown(err error) bool {
	v, ok := errors.AsType[fault.Violations](err)
	if !ok || len(v) >= codec.MaxViolations { // there may have been others
		return false
	}
	for _, one := range v {
		if one.Code != "unknown" {
			return false
		}
	}
	return true
}

// decoders are kept for as long as the program runs: there are as many as types
// that it reads.
var decoders sync.Map

func decoderOf(t reflect.Type) (*codec.Decoder, error) {
	if known, ok := decoders.Load(t); ok {
		return known.(*codec.Decoder), nil
	}
	described, err := rule.Describe(t)
	if err != nil {
		return nil, err
	}
	made, err := codec.CompileDecoder(described)
	if err != nil {
		return nil, err
	}
	kept, _ := decoders.LoadOrStore(t, made)
	return kept.(*codec.Decoder), nil
}
