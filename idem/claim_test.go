package idem_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/idem"
	"github.com/google/go-cmp/cmp"
)

func request(key string) idem.Request {
	return idem.Request{
		Principal: "shop-1", Operation: "payments.authorize", Key: key,
		Fingerprint: sha256.Sum256([]byte(`{"amount":5000}`)),
		TTL:         time.Hour, Lease: time.Minute,
	}
}

func created(ref string) idem.Response {
	return idem.Response{
		Status: 201, ContentType: "application/json", Location: "/payments/" + ref, ETag: `"1"`,
		Body: fmt.Appendf(nil, `{"id":%q}`, ref),
	}
}

// pay is an operation of one transaction.
func (b *bench) pay(c *idem.Claim, key, ref string) error {
	return b.inTx(func(tx idem.Conn) error {
		if err := effect(tx, key, 1, ref); err != nil {
			return err
		}
		return c.Finish(context.Background(), tx, created(ref))
	})
}

// reserve is the first of two transactions of an operation.
func (b *bench) reserve(c *idem.Claim, key, ref string) error {
	return b.inTx(func(tx idem.Conn) error {
		if err := effect(tx, key, 1, ref); err != nil {
			return err
		}
		return c.Phase(context.Background(), tx, ref)
	})
}

// record is the second one.
func (b *bench) record(c *idem.Claim, key, ref string) error {
	return b.inTx(func(tx idem.Conn) error {
		if err := effect(tx, key, 2, ref); err != nil {
			return err
		}
		return c.Finish(context.Background(), tx, created(ref))
	})
}

func TestSecondRequestGetsTheStoredResponse(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]idem.Response{
		"all of it":   created("pay_1"),
		"no body":     {Status: 204},
		"binary body": {Status: 200, ContentType: "application/pdf", Body: []byte("\x00\xff\xfe%PDF'")},
		"a problem":   {Status: 402, ContentType: fault.MediaType, Body: []byte(`{"code":"payment_declined"}`)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, "")
			c := b.begin(request("k"))
			b.must(b.inTx(func(tx idem.Conn) error { return c.Finish(t.Context(), tx, want) }))
			if !c.Stored() {
				t.Error("Stored() = false after Finish")
			}
			got := b.replayed(request("k"))
			if len(got.Body) == 0 {
				got.Body = nil
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("replay (-stored +replayed):\n%s", diff)
			}
		})
	}
}

func TestFinishWithoutTransactionStoresTheResponse(t *testing.T) {
	t.Parallel()
	b := setup(t, "")
	c := b.begin(request("k"))
	if c.Stored() {
		t.Error("Stored() = true before Finish")
	}
	b.must(c.Finish(t.Context(), conn{b.db}, created("pay_1")))
	b.replayed(request("k"))
}

func TestKeysAreScoped(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*idem.Request){
		"another principal": func(r *idem.Request) { r.Principal = "shop-2" },
		"another operation": func(r *idem.Request) { r.Operation = "payments.refund" },
		"another key":       func(r *idem.Request) { r.Key = "K" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, "")
			b.must(b.pay(b.begin(request("k")), "k", "pay_1"))
			other := request("k")
			other.Fingerprint = [32]byte{1}
			change(&other)
			b.must(b.pay(b.begin(other), "k", "pay_2"))
			if got := string(b.replayed(request("k")).Body); got != `{"id":"pay_1"}` {
				t.Errorf("the first key's response became %s", got)
			}
			if got := string(b.replayed(other).Body); got != `{"id":"pay_2"}` {
				t.Errorf("the second key's response is %s", got)
			}
		})
	}
}

func TestAnotherContentUnderAKeyIsRefused(t *testing.T) {
	t.Parallel()
	other := request("k")
	other.Fingerprint = sha256.Sum256([]byte(`{"amount":1}`))

	t.Run("after the response", func(t *testing.T) {
		t.Parallel()
		b := setup(t, "")
		b.must(b.pay(b.begin(request("k")), "k", "pay_1"))
		b.refused(other, idem.ErrReused)
	})
	t.Run("between phases", func(t *testing.T) {
		t.Parallel()
		b := setup(t, "")
		b.must(b.reserve(b.begin(request("k")), "k", "pay_1"))
		b.refused(other, idem.ErrReused)
		b.clock.advance(2 * time.Minute)
		b.refused(other, idem.ErrReused) // it must not resume either
	})
	t.Run("at the same time", func(t *testing.T) {
		t.Parallel()
		b := setup(t, "")
		first, second := b.begin(request("k")), b.begin(other)
		b.must(b.pay(first, "k", "pay_1"))
		err := b.pay(second, "k", "pay_2")
		if stored, err := second.Settle(t.Context(), conn{b.db}, err); stored != nil || !errors.Is(err, idem.ErrReused) {
			t.Errorf("Settle = %v, %v; want ErrReused", stored, err)
		}
	})
}

func TestRollbackFreesTheKey(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	for name, last := range map[string]func(c *idem.Claim, tx idem.Conn) error{
		"after Take":   func(c *idem.Claim, tx idem.Conn) error { return c.Take(context.Background(), tx) },
		"after Phase":  func(c *idem.Claim, tx idem.Conn) error { return c.Phase(context.Background(), tx, "pay_1") },
		"after Finish": func(c *idem.Claim, tx idem.Conn) error { return c.Finish(context.Background(), tx, created("pay_1")) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, "")
			c := b.begin(request("k"))
			err := b.inTx(func(tx idem.Conn) error {
				b.must(effect(tx, "k", 1, "pay_1"))
				b.must(last(c, tx))
				return boom
			})
			if stored, err := c.Settle(t.Context(), conn{b.db}, err); stored != nil || !errors.Is(err, boom) {
				t.Fatalf("Settle = %v, %v; want the handler's own error", stored, err)
			}
			retry := b.begin(request("k"))
			if ref, ok := retry.Ref(); ok {
				t.Errorf("the retry resumes at %q, which was rolled back", ref)
			}
			b.must(b.pay(retry, "k", "pay_2"))
			if n := b.effects("k", 1); n != 1 {
				t.Errorf("%d effects, want 1", n)
			}
		})
	}
}

// A serialization failure or a busy database makes callers repeat a
// transaction with the claim they have.
func TestClaimSurvivesARepeatedTransaction(t *testing.T) {
	t.Parallel()
	b := setup(t, "")
	c := b.begin(request("k"))
	again := errors.New("try again")
	err := b.inTx(func(tx idem.Conn) error {
		b.must(c.Take(t.Context(), tx))
		b.must(c.Phase(t.Context(), tx, "pay_1"))
		return again
	})
	if !errors.Is(err, again) {
		t.Fatal(err)
	}
	b.must(b.reserve(c, "k", "pay_2"))
	b.clock.advance(2 * time.Minute)
	if ref, _ := b.begin(request("k")).Ref(); ref != "pay_2" {
		t.Errorf("resumed at %q, want pay_2", ref)
	}
}

func TestCrashAfterAPhaseResumes(t *testing.T) {
	t.Parallel()
	b := setup(t, "")
	first := b.begin(request("k"))
	b.must(b.reserve(first, "k", "pay_1"))

	b.clock.advance(time.Minute - time.Millisecond)
	b.refused(request("k"), idem.ErrInFlight)
	b.clock.advance(time.Millisecond)

	retry := b.begin(request("k"))
	if ref, ok := retry.Ref(); ref != "pay_1" || !ok {
		t.Fatalf("Ref() = %q, %v; want pay_1", ref, ok)
	}
	b.refused(request("k"), idem.ErrInFlight) // the lease went over to the retry

	// The first run was only slow. It lost the key and must not record.
	if err := b.record(first, "k", "pay_1"); !errors.Is(err, idem.ErrInFlight) {
		t.Fatalf("the run that lost its lease ended with %v", err)
	}
	b.must(b.record(retry, "k", "pay_1"))
	stored, err := first.Settle(t.Context(), conn{b.db}, idem.ErrInFlight)
	if err != nil || stored == nil || stored.Location != "/payments/pay_1" {
		t.Errorf("Settle of the slow run = %v, %v; want the response of the retry", stored, err)
	}
	if one, two := b.effects("k", 1), b.effects("k", 2); one != 1 || two != 1 {
		t.Errorf("phase 1 ran %d times, phase 2 %d times", one, two)
	}
	b.replayed(request("k"))
}

func TestSlowRunKeepsAKeyThatNobodyTookOver(t *testing.T) {
	t.Parallel()
	b := setup(t, "")
	c := b.begin(request("k"))
	b.must(b.reserve(c, "k", "pay_1"))
	b.clock.advance(30 * time.Minute)
	b.must(b.record(c, "k", "pay_1"))
	b.replayed(request("k"))
}

// The row that the retry read changes before the retry takes it over.
func TestPhaseOfASlowRunIsNotTakenOver(t *testing.T) {
	t.Parallel()
	b := setup(t, "")
	slow := b.begin(request("k"))
	b.must(b.reserve(slow, "k", "pay_1"))
	b.clock.advance(2 * time.Minute)

	between := interposed{conn{b.db}, func() {
		b.must(b.inTx(func(tx idem.Conn) error { return slow.Phase(t.Context(), tx, "pay_1") }))
	}}
	if c, stored, err := b.store.Begin(t.Context(), between, request("k")); !errors.Is(err, idem.ErrInFlight) {
		t.Fatalf("Begin = %v, %v, %v; want ErrInFlight", c, stored, err)
	}
	b.must(b.record(slow, "k", "pay_1"))
}

// Both the lease that the retry read and the one it finds are ended, but they
// are not the same one: a phase lies between them.
func TestReleasedLeaseOfAnotherRunIsNotTakenOver(t *testing.T) {
	t.Parallel()
	b := setup(t, "")
	first := b.begin(request("k"))
	b.must(b.reserve(first, "k", "one"))
	b.must(first.Release(t.Context(), conn{b.db}))

	between := interposed{conn{b.db}, func() {
		second := b.begin(request("k"))
		b.must(b.inTx(func(tx idem.Conn) error { return second.Phase(t.Context(), tx, "two") }))
		b.must(second.Release(t.Context(), conn{b.db}))
	}}
	if c, stored, err := b.store.Begin(t.Context(), between, request("k")); !errors.Is(err, idem.ErrInFlight) {
		t.Fatalf("Begin = %v, %v, %v; want ErrInFlight", c, stored, err)
	}
	if ref, _ := b.begin(request("k")).Ref(); ref != "two" {
		t.Errorf("resumed at %q, want two", ref)
	}
}

// interposed does something between the reading and the writing of a Begin.
type interposed struct {
	idem.Conn
	before func()
}

func (i interposed) Exec(ctx context.Context, query string, args ...any) (int64, error) {
	i.before()
	return i.Conn.Exec(ctx, query, args...)
}

func TestFailedRunLetsARetryResumeAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t, "")
	c := b.begin(request("k"))
	b.must(b.reserve(c, "k", "pay_1"))

	boom := errors.New("the network is down")
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // the caller left, which is why it failed
	if stored, err := c.Settle(ctx, conn{b.db}, boom); stored != nil || err != boom {
		t.Fatalf("Settle = %v, %v; want the failure itself", stored, err)
	}
	if ref, _ := b.begin(request("k")).Ref(); ref != "pay_1" {
		t.Errorf("resumed at %q, want pay_1", ref)
	}
	b.must(c.Release(t.Context(), conn{b.db})) // too late: the lease is the retry's
	b.refused(request("k"), idem.ErrInFlight)
}

func TestReferenceOutlivesTakeAndIsReplacedByTheNextPhase(t *testing.T) {
	t.Parallel()
	b := setup(t, "")
	c := b.begin(request("k"))
	b.must(b.reserve(c, "k", "one"))
	b.must(b.inTx(func(tx idem.Conn) error { return c.Take(t.Context(), tx) }))
	b.clock.advance(2 * time.Minute)
	c = b.begin(request("k"))
	if ref, _ := c.Ref(); ref != "one" {
		t.Fatalf("resumed at %q, want one", ref)
	}
	b.must(b.inTx(func(tx idem.Conn) error { return c.Phase(t.Context(), tx, "two") }))
	b.clock.advance(2 * time.Minute)
	if ref, _ := b.begin(request("k")).Ref(); ref != "two" {
		t.Fatalf("resumed at %q, want two", ref)
	}
}

func TestTwinThatLosesIsAnsweredByTheWinner(t *testing.T) {
	t.Parallel()
	b := setup(t, "")
	winner, loser := b.begin(request("k")), b.begin(request("k"))
	b.must(b.pay(winner, "k", "pay_1"))

	for name, step := range map[string]func(tx idem.Conn) error{
		"take":   func(tx idem.Conn) error { return loser.Take(t.Context(), tx) },
		"phase":  func(tx idem.Conn) error { return loser.Phase(t.Context(), tx, "pay_2") },
		"finish": func(tx idem.Conn) error { return loser.Finish(t.Context(), tx, created("pay_2")) },
	} {
		if err := b.inTx(step); !errors.Is(err, idem.ErrInFlight) {
			t.Errorf("%s after the twin's end: %v, want ErrInFlight", name, err)
		}
	}
	if loser.Stored() {
		t.Error("the loser says that it stored a response")
	}
	// Even a handler that swallowed the error is answered by what happened.
	for _, failed := range []error{idem.ErrInFlight, errors.New("the payment is captured already"), nil} {
		stored, err := loser.Settle(t.Context(), conn{b.db}, failed)
		if err != nil || stored == nil || stored.Location != "/payments/pay_1" {
			t.Errorf("Settle(%v) = %v, %v; want the winner's response", failed, stored, err)
		}
	}
}

func TestTwinOfAnUnfinishedRunIsTurnedAway(t *testing.T) {
	t.Parallel()
	b := setup(t, "")
	winner, loser := b.begin(request("k")), b.begin(request("k"))
	b.must(b.reserve(winner, "k", "pay_1"))
	err := b.reserve(loser, "k", "pay_2")
	if _, err := loser.Settle(t.Context(), conn{b.db}, err); !errors.Is(err, idem.ErrInFlight) {
		t.Errorf("Settle = %v, want ErrInFlight", err)
	}
	b.clock.advance(2 * time.Minute)
	if _, err := loser.Settle(t.Context(), conn{b.db}, err); !errors.Is(err, idem.ErrInFlight) {
		t.Errorf("Settle after the lease = %v, want ErrInFlight", err)
	}
	if n := b.effects("k", 1); n != 1 {
		t.Errorf("%d effects, want 1", n)
	}
}

// The winner was seen and is not there afterwards: its key expired, or the
// database did not make it durable after all.
func TestLoserOfAVanishedTwinIsTurnedAway(t *testing.T) {
	t.Parallel()
	b := setup(t, "")
	winner, loser := b.begin(request("k")), b.begin(request("k"))
	b.must(b.pay(winner, "k", "pay_1"))
	err := b.pay(loser, "k", "pay_2")
	b.clock.advance(2 * time.Hour)
	if stored, err := loser.Settle(t.Context(), conn{b.db}, err); stored != nil || !errors.Is(err, idem.ErrInFlight) {
		t.Errorf("Settle = %v, %v; want ErrInFlight", stored, err)
	}
}

func TestFailureAfterTheResponseWasStored(t *testing.T) {
	t.Parallel()
	b := setup(t, "")
	c := b.begin(request("k"))
	b.must(b.pay(c, "k", "pay_1"))
	stored, err := c.Settle(t.Context(), conn{b.db}, errors.New("the connection broke during COMMIT"))
	if err != nil || stored == nil || stored.Status != 201 {
		t.Errorf("Settle = %v, %v; want what was committed", stored, err)
	}
}

func TestSecondUnmarkedTransactionIsAMistake(t *testing.T) {
	t.Parallel()
	b := setup(t, "")
	c := b.begin(request("k"))
	b.must(b.pay(c, "k", "pay_1"))
	err := b.record(c, "k", "pay_1")
	if _, coded := fault.Of(err); err == nil || coded {
		t.Fatalf("Finish twice = %v; want an error for the log", err)
	}
	if stored, settled := c.Settle(t.Context(), conn{b.db}, err); stored != nil || settled != err {
		t.Errorf("Settle = %v, %v; want the mistake, not the response that hides it", stored, settled)
	}
}

func TestIncompleteStepsAreRefused(t *testing.T) {
	t.Parallel()
	b := setup(t, "")
	c := b.begin(request("k"))
	if err := c.Phase(t.Context(), conn{b.db}, ""); err == nil {
		t.Error("a phase without a reference was accepted")
	}
	if err := c.Finish(t.Context(), conn{b.db}, idem.Response{Body: []byte("x")}); err == nil {
		t.Error("a response without a status was accepted")
	}
	b.begin(request("k")) // nothing was written
}

func TestParallelTwinsHaveOneEffect(t *testing.T) {
	t.Parallel()
	for name, run := range map[string]func(b *bench, c *idem.Claim, ref string) error{
		"one transaction": func(b *bench, c *idem.Claim, ref string) error { return b.pay(c, "k", ref) },
		"taken first": func(b *bench, c *idem.Claim, ref string) error {
			return b.inTx(func(tx idem.Conn) error {
				if err := c.Take(context.Background(), tx); err != nil {
					return err
				}
				if err := effect(tx, "k", 1, ref); err != nil {
					return err
				}
				return c.Finish(context.Background(), tx, created(ref))
			})
		},
		"two phases": func(b *bench, c *idem.Claim, ref string) error {
			if err := b.reserve(c, "k", ref); err != nil {
				return err
			}
			return b.record(c, "k", ref)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, wait)
			const twins = 20
			var (
				all     sync.WaitGroup
				ready   sync.WaitGroup
				mu      sync.Mutex
				answers = map[string]int{}
				failed  = map[error]int{}
			)
			ready.Add(twins)
			for i := range twins {
				all.Go(func() {
					c, stored, err := b.store.Begin(context.Background(), conn{b.db}, request("k"))
					ready.Done()
					ready.Wait() // all are past Begin before the first one writes
					if c != nil {
						ref := fmt.Sprintf("pay_%d", i)
						err = run(b, c, ref)
						stored, err = c.Settle(context.Background(), conn{b.db}, err)
						if stored == nil && err == nil {
							own := created(ref)
							stored = &own
						}
					}
					mu.Lock()
					defer mu.Unlock()
					switch {
					case stored != nil:
						answers[string(stored.Body)]++
					case errors.Is(err, idem.ErrInFlight):
						failed[idem.ErrInFlight]++
					default:
						t.Errorf("twin %d: %v", i, err)
					}
				})
			}
			all.Wait()
			if n := b.effects("k", 1); n != 1 {
				t.Errorf("%d effects, want 1", n)
			}
			if len(answers) != 1 {
				t.Errorf("answers: %v, want one", answers)
			}
			t.Logf("answers %v, turned away %d", answers, failed[idem.ErrInFlight])
		})
	}
}
