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
	"github.com/ashlar-go/ashlar/rule"
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

// keepsAll is a cache that has an answer to everything, or none to anything.
type keepsAll struct {
	rest.Cache

	kept *rest.Kept
}

func (c keepsAll) Answers(*op.Spec, time.Duration) (rest.Answers, error) { return c, nil }

func (c keepsAll) Look([]byte) (*rest.Kept, bool, error) { return c.kept, false, nil }

func (keepsAll) Load(ctx context.Context, m rest.Making) (*rest.Kept, error) { return m.Make(ctx) }

func (keepsAll) Renew(rest.Making) {}

// A path is the same input each time: it was read when the answer was made. A
// query may say more than what the answer is kept under.
func TestAKeptAnswerIsGivenBeforeThePathIsReadAndAfterTheQuery(t *testing.T) {
	t.Parallel()
	kept, err := rest.ReadKept([]byte("\x03\"a\"{}"))
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("a", 200) // more than an id may have
	for _, tc := range []struct {
		target string
		kept   *rest.Kept
		want   int
	}{
		{"/notes/a", nil, 200},
		{"/notes/" + long, nil, 422},
		{"/notes/" + long, kept, 200},
		{"/notes/" + long + "?", kept, 200},
		{"/notes/" + long + "?a=b", kept, 422},
		{"/notes/a?a=b", kept, 422},
		{"/notes/a?%zz", kept, 400},
	} {
		h, err := rest.New(op.Query("notes.get", "GET /notes/{id}", func(_ context.Context, in shortID) (note, error) { return note{ID: in.ID}, nil },
			op.Public(), op.Cache(0, op.Keep(time.Minute), op.OneForEveryone())), rest.Config{Cache: keepsAll{kept: tc.kept}})
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest("GET", tc.target, nil)
		r.SetPathValue("id", strings.TrimPrefix(r.URL.Path, "/notes/"))
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != tc.want {
			t.Errorf("%.20s, kept %t: answers %d %s", tc.target, tc.kept != nil, w.Code, w.Body)
		}
	}
}

type shortID struct {
	ID string `json:"id"`
}

func (in *shortID) Rules(r *rule.Set) { rule.Text(r, &in.ID).Len(1, 100) }

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
