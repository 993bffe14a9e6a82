package op_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/op"
)

type reset struct {
	Email string `json:"email"`
}

func doReset(context.Context, reset) (struct{}, error) { return struct{}{}, nil }

func email(_ context.Context, in reset) string { return in.Email }

func TestLimit(t *testing.T) {
	t.Parallel()
	o := op.Command("users.reset", "POST /resets", doReset, op.Public(),
		op.Limit(3, time.Hour, op.PerKey(email)),
		op.Limit(50, time.Second, op.Burst(100), op.PerOperation()),
		op.Limit(60, time.Minute, op.PerAddress(), op.Shared("sign_in")),
		op.Limit(5, time.Second))
	if err := op.Check([]op.Operation{o}); err != nil {
		t.Fatal(err)
	}
	s := o.Spec()
	type row struct {
		name     string
		n, burst int
		per      time.Duration
		by       op.CountBy
	}
	for i, want := range []row{
		{"users.reset", 3, 3, time.Hour, op.CountByKey},
		{"users.reset-2", 50, 100, time.Second, op.CountByOperation},
		{"sign_in", 60, 60, time.Minute, op.CountByAddress},
		{"users.reset-4", 5, 5, time.Second, op.CountByPrincipal},
	} {
		q := s.Quotas[i]
		if got := (row{q.Name, q.N, q.Burst, q.Per, q.By}); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
	if !s.CountsInput() {
		t.Error("it does not count by its input")
	}
	if got := s.Quotas[0].Key(t.Context(), &reset{"a@b.test"}); got != "a@b.test" {
		t.Errorf("the key is %q", got)
	}
	limited := false
	for _, f := range s.Faults() {
		limited = limited || f == fault.Coded(fault.ErrLimited)
	}
	if !limited {
		t.Error("429 is not part of the contract")
	}
}

func TestLimitMistakes(t *testing.T) {
	t.Parallel()
	declare := func(options ...op.CommandOption) op.Operation {
		return op.Command("users.reset", "POST /resets", doReset, append(options, op.Public())...)
	}
	other := op.Command("auth.login", "POST /login", doReset, op.Public(), op.Limit(1, time.Second, op.Shared("sign_in")))
	for want, list := range map[string][]op.Operation{
		"Limit(0, 1s) lets nobody in":           {declare(op.Limit(0, time.Second))},
		"Limit(-1, 1s) lets nobody in":          {declare(op.Limit(-1, time.Second))},
		"Limit(5, 0s): the period":              {declare(op.Limit(5, 0))},
		"Limit(5, -1s): the period":             {declare(op.Limit(5, -time.Second))},
		"Limit(5, 4ns): the period":             {declare(op.Limit(5, 4))},
		"Burst(0) lets nobody in":               {declare(op.Limit(5, time.Second, op.Burst(0)))},
		"says twice whose calls":                {declare(op.Limit(5, time.Second, op.PerAddress(), op.PerAccount()))},
		"PerKey takes a struct {}":              {declare(op.Limit(5, time.Second, op.PerKey(func(context.Context, struct{}) string { return "" })))},
		"PerKey has no function":                {declare(op.Limit(5, time.Second, op.PerKey[reset](nil)))},
		`Shared("Sign in"): the name`:           {declare(op.Limit(5, time.Second, op.Shared("Sign in")))},
		`shares the limit "sign_in"`:            {other, declare(op.Limit(2, time.Second, op.Shared("sign_in")))},
		"the operation at op/limit_test.go":     {other, declare(op.Limit(1, time.Second, op.Shared("sign_in"), op.PerAddress()))},
		`shares a limit "health", which is the`: {op.Command("health", "POST /health", doReset, op.Public()), declare(op.Limit(2, time.Second, op.Shared("health")))},
	} {
		if err := op.Check(list); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not among the mistakes: %v", want, err)
		}
	}
	if err := op.Check([]op.Operation{other, declare(op.Limit(1, time.Second, op.Shared("sign_in")))}); err != nil {
		t.Errorf("a limit shared by two that agree: %v", err)
	}
}
