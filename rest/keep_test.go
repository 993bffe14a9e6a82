package rest_test

import (
	"bytes"
	"context"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/op"
	"github.com/ashlar-go/ashlar/rest"
)

func TestKeepingNeedsACache(t *testing.T) {
	t.Parallel()
	for what, o := range map[string]op.Operation{
		"a query":   op.Query("notes.get", "GET /notes/{id}", getNote, op.Public(), op.Fails(errNoNote), op.Cache(0, op.Keep(time.Minute), op.OneForEveryone())),
		"a command": op.Command("notes.put", "PUT /notes/{id}", getNote, op.Public(), op.Fails(errNoNote), op.Invalidates("note/{id}")),
	} {
		if _, err := rest.New(o, rest.Config{}); err == nil || !strings.Contains(err.Error(), "there is no cache") || !strings.Contains(err.Error(), "keep_test.go") {
			t.Errorf("%s: %v", what, err)
		}
		if _, err := rest.New(o, rest.Config{Cache: forgetting{}}); (err == nil) != (what == "a command") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// forgetting is a cache that cannot keep anything, and fails to drop.
type forgetting struct{}

func (forgetting) Answers(*op.Spec, time.Duration) (rest.Answers, error) {
	return nil, errors.New("has no room")
}

func (forgetting) Writing(ctx context.Context, tags []string) (context.Context, func() error) {
	return ctx, func() error { return errors.New("cannot drop " + strings.Join(tags, " ")) }
}

// What could not be told to others is a failure: they would go on with what
// was before.
func TestACommandThatCannotInvalidateFails(t *testing.T) {
	t.Parallel()
	o := op.Command("notes.put", "PUT /notes/{id}", func(_ context.Context, in byID) (note, error) { return note{ID: in.ID}, nil },
		op.Public(), op.Invalidates("note/{id}"))
	h, err := rest.New(o, rest.Config{Cache: forgetting{}})
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("PUT", "/notes/a", nil)
	r.SetPathValue("id", "a")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != 500 || strings.Contains(w.Body.String(), "drop") {
		t.Errorf("answers %d %s", w.Code, w.Body)
	}
}

func FuzzReadKept(f *testing.F) {
	f.Add([]byte("\x03\"a\"{}"))
	f.Add([]byte("\x00"))
	f.Add([]byte("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"))
	f.Fuzz(func(t *testing.T, data []byte) {
		k, err := rest.ReadKept(data)
		if err != nil {
			return
		}
		again, err := rest.ReadKept(k.Bytes())
		if err != nil || !bytes.Equal(again.Bytes(), k.Bytes()) {
			t.Errorf("%q came back as %q, %v", k.Bytes(), again.Bytes(), err)
		}
	})
}
