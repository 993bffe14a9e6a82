package outbound_test

import (
	"errors"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/outbound"
	"github.com/ashlar-go/ashlar/outbound/outboundtest"
	"github.com/ashlar-go/ashlar/rule"
)

type balance struct {
	Account string `json:"account"`
	Amount  int64  `json:"amount"`
	Note    string `json:"note,omitzero"`
}

func (b *balance) Rules(r *rule.Set) { rule.Text(r, &b.Account).Match(`^acc_[0-9]+$`) }

func TestJSON(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]balance{
		`{"account":"acc_1","amount":5}`:                                     {"acc_1", 5, ""},
		`{"account":"acc_1","new":{"a":[1,2]},"amount":5,"note":"n","b":""}`: {"acc_1", 5, "n"},
	} {
		s := outboundtest.New(t, outboundtest.JSON(text))
		got, err := outbound.JSON[balance](bank(), request(t, "GET", s.URL, ""))
		if err != nil || got != want {
			t.Errorf("%s is %+v, %v", text, got, err)
		}
		if accept := s.Calls()[0].Header.Get("Accept"); accept != "application/json" {
			t.Errorf("Accept: %s", accept)
		}
	}
}

// TestDistrust holds P10.12: whatever the other side does, its caller gets a
// problem of a gateway within the deadline, and nothing is left behind.
//
//nolint:tparallel // the cases are awaited together
func TestDistrust(t *testing.T) {
	t.Parallel()
	inside := outboundtest.New(t)
	plain := func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"account":"acc_1","amount":5}`)) }
	cases := map[string]struct {
		answer outboundtest.Answer
		want   fault.Coded
	}{
		"100 MB":             {outboundtest.Huge(100 << 20), outbound.ErrGarbled}, // no type is announced
		"100 MB of JSON":     {typed(outboundtest.Huge(100 << 20)), outbound.ErrTooLarge},
		"a bomb":             {typed(outboundtest.Bomb(100 << 20)), outbound.ErrTooLarge},
		"a drip":             {typed(outboundtest.Drip), outbound.ErrSlow},
		"silence":            {outboundtest.Hang, outbound.ErrSlow},
		"half of an answer":  {typed(outboundtest.Cut), outbound.ErrUnreachable},
		"a reset":            {outboundtest.Reset, outbound.ErrUnreachable},
		"garbage":            {outboundtest.Garbage, outbound.ErrUnreachable},
		"another status":     {outboundtest.Status(418), outbound.ErrStatus},
		"unavailable":        {outboundtest.Status(503), outbound.ErrStatus},
		"a redirect inside":  {outboundtest.Redirect(inside.URL), outbound.ErrStatus},
		"no content":         {outboundtest.Status(204), outbound.ErrGarbled},
		"no JSON":            {outboundtest.JSON(`<html>`), outbound.ErrGarbled},
		"another type":       {plain, outbound.ErrGarbled},
		"a wrong type":       {outboundtest.JSON(`{"account":"acc_1","amount":"5"}`), outbound.ErrGarbled},
		"a missing member":   {outboundtest.JSON(`{"account":"acc_1"}`), outbound.ErrGarbled},
		"a broken rule":      {outboundtest.JSON(`{"account":"../etc","amount":5}`), outbound.ErrGarbled},
		"a member twice":     {outboundtest.JSON(`{"account":"acc_1","amount":5,"amount":6}`), outbound.ErrGarbled},
		"two values":         {outboundtest.JSON(`{"account":"acc_1","amount":5}{}`), outbound.ErrGarbled},
		"too many to look":   {outboundtest.JSON(`{` + members(80) + `"account":"acc_1","amount":"5"}`), outbound.ErrGarbled},
		"a number too large": {outboundtest.JSON(`{"account":"acc_1","amount":9223372036854775808}`), outbound.ErrGarbled},
	}
	before := runtime.NumGoroutine()
	t.Run("all", func(t *testing.T) {
		for name, c := range cases {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				s := outboundtest.New(t, c.answer)
				deadline := time.Minute // what is not about time has enough of it
				if c.want == outbound.ErrSlow {
					deadline = time.Second
				}
				client := bank(func(cfg *outbound.Config) { cfg.Timeout = deadline })
				defer client.CloseIdleConnections()
				began := time.Now()
				got, err := outbound.JSON[balance](client, request(t, "GET", s.URL+"/secret", ""))
				if failure, ok := errors.AsType[*outbound.Failure](err); !ok || failure.Name != "bank" || got != (balance{}) {
					t.Fatalf("%+v, %v", got, err)
				}
				problem := fault.ProblemOf(err, "")
				if problem.Code != c.want.Code() || problem.Status < 502 || problem.Status > 504 {
					t.Errorf("%d %s, want %s: %v", problem.Status, problem.Code, c.want.Code(), err)
				}
				if took := time.Since(began); took > deadline+time.Minute {
					t.Errorf("it took %v", took)
				}
				if text, _ := problem.MarshalJSON(); strings.Contains(string(text)+err.Error(), "secret") {
					t.Errorf("it says too much: %v %s", err, text)
				}
				if s := client.Policy().Stats(); s.Inside != 0 {
					t.Errorf("%+v", s)
				}
			})
		}
	})
	if n := inside.Connections(); n != 0 {
		t.Errorf("%d connections to where a redirect led", n)
	}
	// Other tests run beside this one, so growth is only excluded for as many as
	// there are cases.
	eventually(t, func() bool { return runtime.NumGoroutine() < before+len(cases) })
}

// typed calls an answer JSON.
func typed(a outboundtest.Answer) outboundtest.Answer {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		a(w, r)
	}
}

func members(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(`"m` + strings.Repeat("x", i) + `":1,`)
	}
	return b.String()
}

// TestStatusIsForWhoKnowsWhatItMeans: the answer's number and its first bytes.
func TestStatusIsForWhoKnowsWhatItMeans(t *testing.T) {
	t.Parallel()
	s := outboundtest.New(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(409)
		_, _ = w.Write([]byte(strings.Repeat("e", 10_000)))
	})
	_, err := outbound.JSON[balance](bank(), request(t, "GET", s.URL, ""))
	status, ok := errors.AsType[*outbound.Status](err)
	if !ok || status.Code != 409 || len(status.Start) != 4096 || strings.Contains(err.Error(), "eee") {
		t.Errorf("%v", err)
	}
}

// TestJSONOfWhatCannotBeRead is a mistake of the program, told at once.
func TestJSONOfWhatCannotBeRead(t *testing.T) {
	t.Parallel()
	s := outboundtest.New(t, outboundtest.JSON(`{}`))
	if _, err := outbound.JSON[struct{ C chan int }](bank(), request(t, "GET", s.URL, "")); err == nil || len(s.Calls()) != 0 {
		t.Errorf("%v after %d calls", err, len(s.Calls()))
	}
}
