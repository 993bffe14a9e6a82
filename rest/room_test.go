package rest_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/op"
	"github.com/ashlar-go/ashlar/rest"
)

// cell is a room with or without space.
type cell struct {
	full            error
	entered, inside int
}

func (c *cell) Enter(context.Context) error {
	if c.full != nil {
		return c.full
	}
	c.entered++
	c.inside++
	return nil
}

func (c *cell) Leave() { c.inside-- }

// TestOverloadIsAnsweredFirst holds P14.10: what is refused costs neither a
// signature check nor a body.
func TestOverloadIsAnsweredFirst(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	gate, asked := &cell{full: fault.ErrOverloaded.After(2e9)}, false
	h, err := rest.New(op.Command("a", "POST /a", func(context.Context, struct{}) (int, error) { return 1, nil }, op.Authenticated()),
		rest.Config{
			Gate:         func(*op.Spec) rest.Room { return gate },
			Authenticate: func(*http.Request) (access.Principal, error) { asked = true; return access.Principal{}, nil },
			Log:          slog.New(slog.NewTextHandler(&log, nil)),
		})
	if err != nil {
		t.Fatal(err)
	}
	body := &closing{Reader: io.MultiReader(broken{})}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/a", body)
	w := newRecorder()
	h.ServeHTTP(w, r)
	if w.Code != 503 || w.Header().Get("Retry-After") != "2" || !strings.Contains(w.Body.String(), `"overloaded"`) {
		t.Errorf("answered %d %s %v", w.Code, w.Body, w.Header())
	}
	if asked || log.Len() > 0 || gate.inside != 0 {
		t.Errorf("authenticated: %v, logged %q, %d inside", asked, &log, gate.inside)
	}
}

// TestARoomIsLeft whatever becomes of the call, and a place is only taken by
// whoever may run the function.
func TestARoomIsLeft(t *testing.T) {
	t.Parallel()
	gate, places := &cell{}, &cell{}
	h, err := rest.New(op.Query("a", "GET /a", func(_ context.Context, in struct {
		How string `json:"how,omitzero"`
	},
	) (int, error) {
		if gate.inside != 1 || places.inside != 1 {
			t.Errorf("%d and %d are inside", gate.inside, places.inside)
		}
		switch in.How {
		case "fails":
			return 0, fault.ErrStale
		case "panics":
			panic("a")
		}
		return 1, nil
	}, op.Authenticated(), op.Concurrency(1), op.Fails(fault.ErrStale)), rest.Config{
		Gate:   func(*op.Spec) rest.Room { return gate },
		Places: func(*op.Spec) rest.Room { return places },
		Authenticate: func(r *http.Request) (access.Principal, error) {
			return access.Principal{ID: r.Header.Get("Authorization")}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		target, who string
		want, taken int
	}{
		{"/a", "ann", 200, 1},
		{"/a?how=fails", "ann", 412, 1},
		{"/a?how=panics", "ann", 0, 1},
		{"/a", "", 401, 0},
		{"/a?what=this", "ann", 422, 0},
	} {
		places.entered = 0
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, c.target, nil)
		r.Header.Set("Authorization", c.who)
		w := newRecorder()
		func() {
			defer func() { _ = recover() }()
			h.ServeHTTP(w, r)
		}()
		if c.want != 0 && w.Code != c.want || places.entered != c.taken || gate.inside != 0 || places.inside != 0 {
			t.Errorf("%s of %q: answered %d, %d places taken, %d and %d still inside", c.target, c.who, w.Code, places.entered, gate.inside, places.inside)
		}
	}
	places.full = fault.ErrBusy
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/a", nil)
	r.Header.Set("Authorization", "ann")
	w := newRecorder()
	if h.ServeHTTP(w, r); w.Code != 503 || !strings.Contains(w.Body.String(), `"operation_busy"`) || gate.inside != 0 {
		t.Errorf("a full operation answers %d %s", w.Code, w.Body)
	}
}

func TestConcurrencyNeedsSomebodyWhoCounts(t *testing.T) {
	t.Parallel()
	_, err := rest.New(op.Query("a", "GET /a", func(context.Context, struct{}) (int, error) { return 1, nil }, op.Public(), op.Concurrency(1)), rest.Config{})
	if err == nil || !strings.Contains(err.Error(), "bounds its concurrency") {
		t.Errorf("got %v", err)
	}
}
