package main

import (
	"fmt"
	"net/http"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/ashlar-go/ashlar/ashlartest"
	"github.com/ashlar-go/ashlar/examples/payments/internal/payment"
)

// BenchmarkAuthorize pays with 64 clients over loopback. The program runs in a
// process of its own, on SQLite at synchronous=FULL, with its log written. Each
// payment is three transactions: pending, the simulated network's own, and the
// outcome with ledger entries, event and idempotency key.
func BenchmarkAuthorize(b *testing.B) {
	const clients = 64
	p := start(b, b.TempDir())
	token := p.signIn(b, "merchant")
	var n atomic.Int64

	b.SetParallelism(max(1, clients/runtime.GOMAXPROCS(0)))
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			key := fmt.Sprint("bench-", n.Add(1))
			if status := p.call(http.MethodPost, "/v1/payments", token, key, orderOf(key, 0), nil); status != http.StatusCreated {
				b.Errorf("answered %d", status)
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "payments/s")
}

// BenchmarkUnitTest is what one test of a service costs: a fresh application
// with a migrated database, and one authorised payment.
func BenchmarkUnitTest(b *testing.B) {
	for b.Loop() {
		s := open(b)
		pay(s.shop, "payments.authorize", order()).OK()
	}
}

// BenchmarkCall is one authorised payment in such a test.
func BenchmarkCall(b *testing.B) {
	s := open(b)
	call := ashlartest.Call[payment.Payment]
	for b.Loop() {
		call(s.shop, "payments.authorize", order()).OK()
	}
}
