package authtest

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/ashlar-go/ashlar/auth"
	"github.com/ashlar-go/ashlar/id"
)

// RunFactors proves that a store keeps the promises of [auth.FactorStore]. open
// returns an empty one.
func RunFactors(t *testing.T, open func(t *testing.T) auth.FactorStore) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, auth.FactorStore){
		"a factor is enrolled and confirmed": enrolls,
		"tries are counted one by one":       counts,
		"random histories are as the model":  factorHistories,
		"one use at once wins":               onceOnly,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t))
		})
	}
}

// judge is a test, of the standard library or of rapid.
type judge interface {
	Helper()
	Errorf(format string, args ...any)
}

// say fails t for an answer that is not this, or an error.
func say(t judge, what string, want bool) func(bool, error) {
	return func(got bool, err error) {
		t.Helper()
		if got != want || err != nil {
			t.Errorf("%s: %v, %v; want %v", what, got, err, want)
		}
	}
}

func enrolls(t *testing.T, s auth.FactorStore) {
	ctx := t.Context()
	if _, err := s.Factor(ctx, "usr_1"); !errors.Is(err, auth.ErrNoFactor) {
		t.Errorf("without a factor: %v", err)
	}
	first, second := []byte{1, 0, 255}, []byte{2, 0, 255}
	for _, sealed := range [][]byte{first, second} {
		if err := s.EnrolFactor(ctx, auth.Factor{Account: "usr_1", Sealed: sealed, CreatedAt: now()}); err != nil {
			t.Fatal(err)
		}
	}
	say(t, "a code for a factor that is not confirmed", false)(s.UseFactor(ctx, "usr_1", 5))
	say(t, "confirming what was replaced", false)(s.ConfirmFactor(ctx, "usr_1", first, 7, now(), nil, event(t)))
	say(t, "counting", true)(s.TryFactor(ctx, "usr_1", 0, now()))
	at := now()
	say(t, "confirming", true)(s.ConfirmFactor(ctx, "usr_1", second, 7, at, [][]byte{{9}, {8}}, event(t)))
	say(t, "confirming again", false)(s.ConfirmFactor(ctx, "usr_1", second, 8, now(), nil, event(t)))
	if err := s.EnrolFactor(ctx, auth.Factor{Account: "usr_1", Sealed: first, CreatedAt: now()}); !errors.Is(err, auth.ErrFactor) {
		t.Errorf("a second one beside it: %v", err)
	}
	f, err := s.Factor(ctx, "usr_1")
	if err != nil || !slices.Equal(f.Sealed, second) || f.ConfirmedAt == nil || !f.ConfirmedAt.Equal(at) || f.LastStep != 7 || f.Tries != 0 {
		t.Errorf("got %+v, %v", f, err)
	}
	for _, sealed := range [][]byte{first, {3}} { // of which the first is not what is there
		if err := s.ResealFactor(ctx, "usr_1", sealed, []byte{3}); err != nil {
			t.Error(err)
		}
	}
	if f, err := s.Factor(ctx, "usr_1"); err != nil || !slices.Equal(f.Sealed, second) {
		t.Errorf("resealed from what it was not: %+v, %v", f, err)
	}
	if err := s.ResealFactor(ctx, "usr_1", second, []byte{3}); err != nil {
		t.Error(err)
	}
	if f, err := s.Factor(ctx, "usr_1"); err != nil || !slices.Equal(f.Sealed, []byte{3}) || f.ConfirmedAt == nil {
		t.Errorf("resealed to %+v, %v", f, err)
	}
	say(t, "removing", true)(s.RemoveFactor(ctx, "usr_1", event(t)))
	say(t, "removing again", false)(s.RemoveFactor(ctx, "usr_1", event(t)))
	say(t, "a recovery code of what is gone", false)(s.UseRecoveryCode(ctx, "usr_1", []byte{9}, event(t)))
}

func counts(t *testing.T, s auth.FactorStore) {
	ctx := t.Context()
	confirmed(t, s, "usr_1", 0)
	at := now()
	say(t, "counting the first", true)(s.TryFactor(ctx, "usr_1", 0, at))
	say(t, "counting the first again", false)(s.TryFactor(ctx, "usr_1", 0, at))
	say(t, "counting the second", true)(s.TryFactor(ctx, "usr_1", 1, at.Add(time.Second)))
	say(t, "counting for nobody", false)(s.TryFactor(ctx, "usr_2", 0, at))
	if f, err := s.Factor(ctx, "usr_1"); err != nil || f.Tries != 2 || f.TriedAt == nil || !f.TriedAt.Equal(at.Add(time.Second)) {
		t.Errorf("got %+v, %v", f, err)
	}
	say(t, "a good code", true)(s.UseFactor(ctx, "usr_1", 1))
	say(t, "counting anew", true)(s.TryFactor(ctx, "usr_1", 0, at))
	say(t, "a recovery code", true)(s.UseRecoveryCode(ctx, "usr_1", []byte{0}, event(t)))
	say(t, "counting anew", true)(s.TryFactor(ctx, "usr_1", 0, at))
}

// confirmed gives an account a factor whose recovery codes are 0 to 9.
func confirmed(t *testing.T, s auth.FactorStore, account string, step int64) {
	t.Helper()
	var codes [][]byte
	for i := range byte(10) {
		codes = append(codes, []byte{i})
	}
	err := s.EnrolFactor(t.Context(), auth.Factor{Account: account, Sealed: []byte(account), CreatedAt: now()})
	if err != nil {
		t.Fatal(err)
	}
	say(t, "confirming", true)(s.ConfirmFactor(t.Context(), account, []byte(account), step, now(), codes, event(t)))
}

// factorHistories draws uses of codes and recovery codes of two accounts: a
// period is taken if it is later than all that were, a recovery code if it was
// not used.
func factorHistories(t *testing.T, s auth.FactorStore) {
	rapid.Check(t, func(r *rapid.T) {
		accounts := []string{id.New("usr_"), id.New("usr_")}
		last, used := map[string]int64{}, map[string]map[byte]bool{}
		for _, a := range accounts {
			confirmed(t, s, a, 0)
			used[a] = map[byte]bool{}
		}
		for range rapid.IntRange(1, 20).Draw(r, "uses") {
			a := rapid.SampledFrom(accounts).Draw(r, "account")
			if rapid.Bool().Draw(r, "recovery") {
				code := rapid.ByteRange(0, 11).Draw(r, "code")
				say(r, "a recovery code", code < 10 && !used[a][code])(s.UseRecoveryCode(t.Context(), a, []byte{code}, event(t)))
				used[a][code] = true
				continue
			}
			step := rapid.Int64Range(-2, 9).Draw(r, "step")
			say(r, "a code", step > last[a])(s.UseFactor(t.Context(), a, step))
			last[a] = max(last[a], step)
		}
	})
}

func onceOnly(t *testing.T, s auth.FactorStore) {
	confirmed(t, s, "usr_1", 0)
	for name, use := range map[string]func() (bool, error){
		"a code":          func() (bool, error) { return s.UseFactor(t.Context(), "usr_1", 5) },
		"a recovery code": func() (bool, error) { return s.UseRecoveryCode(t.Context(), "usr_1", []byte{3}, event(t)) },
		"a try":           func() (bool, error) { return s.TryFactor(t.Context(), "usr_1", 0, now()) },
	} {
		var winners atomic.Int32
		var crowd sync.WaitGroup
		for range 20 {
			crowd.Go(func() {
				ok, err := use()
				if err != nil {
					t.Error(err)
				}
				if ok {
					winners.Add(1)
				}
			})
		}
		crowd.Wait()
		if winners.Load() != 1 {
			t.Errorf("%s was good for %d at once", name, winners.Load())
		}
	}
}
