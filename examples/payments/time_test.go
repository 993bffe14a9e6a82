package main

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/ashlar-go/ashlar/examples/payments/internal/ledger"
	"github.com/ashlar-go/ashlar/examples/payments/internal/payment"
)

// TestAWeekPasses waits for a slow network and for a hold to expire, in the time
// of a bubble.
func TestAWeekPasses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t)
		begun := time.Now()
		p := pay(s.shop, "payments.authorize", order(with("4000000000006975"))).OK()
		if took := time.Since(begun); took != 2*time.Second {
			t.Errorf("the network took %s", took)
		}
		state := func() payment.Status {
			s.RunJobs(0)
			return pay(s.shop, "payments.get", payment.ByID{ID: p.ID}).OK().Status
		}
		time.Sleep(7*24*time.Hour - time.Minute)
		if got := state(); got != payment.Authorized {
			t.Errorf("a minute too early it is %s", got)
		}
		time.Sleep(2 * time.Minute)
		if got := state(); got != payment.Expired {
			t.Errorf("a week later it is %s", got)
		}
		s.hasBalances(t, map[ledger.Account]int64{})
	})
}
