package rest_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/op"
	"github.com/ashlar-go/ashlar/rest"
)

// gatekeeper writes down what it is asked, and refuses at one step.
type gatekeeper struct {
	asked  []string
	refuse string
}

func (g *gatekeeper) at(step string, header http.Header) error {
	g.asked = append(g.asked, step)
	header.Set("RateLimit", step)
	if step == g.refuse {
		return fault.ErrLimited.After(time.Minute)
	}
	return nil
}

func (g *gatekeeper) Knock(_ context.Context, w http.ResponseWriter) error {
	return g.at("knock", w.Header())
}

func (g *gatekeeper) Enter(ctx context.Context, w http.ResponseWriter, refused error) error {
	if refused != nil {
		g.asked = append(g.asked, "refused")
		return refused
	}
	return g.at("enter "+access.From(ctx).ID, w.Header())
}

func (g *gatekeeper) Quota(*op.Spec) (rest.Quota, error) { return g, nil }

func (g *gatekeeper) Take(_ context.Context, h http.Header, in any) error {
	if in == nil {
		return g.at("take", h)
	}
	return g.at("take for "+in.(*named).Name, h)
}

type named struct {
	Name string `json:"name"`
}

// Limits are asked in this order, and what they refuse goes no further.
func TestLimitsAreAskedInOrder(t *testing.T) {
	t.Parallel()
	policy := &access.Policy{}
	if err := policy.Grant("clerk", "read"); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		what, role, body, refuse string
		status                   int
		asked                    []string
	}{
		{"all is well", "clerk", `{"name":"a"}`, "", 204, []string{"knock", "enter ann", "take", "take for a", "ran"}},
		{"too many bad credentials", "clerk", `{"name":"a"}`, "knock", 429, []string{"knock", "refused"}},
		{"no credential", "", `{"name":"a"}`, "", 401, []string{"knock", "refused"}},
		{"too often", "clerk", `{"name":"a"}`, "enter ann", 429, []string{"knock", "enter ann"}},
		{"not allowed", "guest", `{"name":"a"}`, "", 403, []string{"knock", "enter ann"}},
		{"too often for this", "clerk", `not read`, "take", 429, []string{"knock", "enter ann", "take"}},
		{"an invalid input", "clerk", `{}`, "", 422, []string{"knock", "enter ann", "take"}},
		{"too often for that", "clerk", `{"name":"a"}`, "take for a", 429, []string{"knock", "enter ann", "take", "take for a"}},
	} {
		g := &gatekeeper{refuse: c.refuse}
		o := op.Command("do", "POST /do", func(_ context.Context, in named) (struct{}, error) {
			g.asked = append(g.asked, "ran")
			return struct{}{}, nil
		}, op.Allow("read"), op.Limit(1, time.Second, op.PerKey(func(_ context.Context, in named) string { return in.Name })))
		h, err := rest.New(o, rest.Config{Policy: policy, Limits: g, Authenticate: func(*http.Request) (access.Principal, error) {
			if c.role == "" {
				return access.Principal{}, fault.ErrUnauthenticated
			}
			return policy.Principal("ann", "", c.role), nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		w, r := httptest.NewRecorder(), httptest.NewRequest("POST", "/do", strings.NewReader(c.body))
		r.Header.Set("Content-Type", "application/json")
		h.ServeHTTP(w, r)
		if w.Code != c.status || !slices.Equal(g.asked, c.asked) {
			t.Errorf("%s: %d after %v, want %d after %v", c.what, w.Code, g.asked, c.status, c.asked)
		}
		if w.Code == 429 && (w.Header().Get("Retry-After") != "60" || w.Header().Get("RateLimit") != c.refuse) {
			t.Errorf("%s: got %v", c.what, w.Header())
		}
	}
}

type unable struct{ gatekeeper }

func (*unable) Quota(*op.Spec) (rest.Quota, error) { return nil, errors.New("cannot be counted") }

// An operation with a limit is not served without.
func TestALimitMustBeCounted(t *testing.T) {
	t.Parallel()
	o := op.Command("do", "POST /do", func(context.Context, named) (struct{}, error) { return struct{}{}, nil },
		op.Public(), op.Limit(1, time.Second))
	for want, cfg := range map[string]rest.Config{"nothing counts its calls": {}, "cannot be counted": {Limits: &unable{}}} {
		if _, err := rest.New(o, cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not the mistake: %v", want, err)
		}
	}
}
