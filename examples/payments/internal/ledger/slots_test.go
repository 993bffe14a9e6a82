package ledger

import (
	"fmt"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/ashlartest"
	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/db/postgres"
	"github.com/ashlar-go/ashlar/internal/backing"
)

func of(payment string) Subject {
	return Subject{PaymentID: payment, MerchantID: "mer_1", Currency: "EUR", Reason: "payment.captured", At: time.Now()}
}

// TestABalanceIsTheSumOfItsSlots: also of what was written before there were any,
// and after a way back.
func TestABalanceIsTheSumOfItsSlots(t *testing.T) {
	t.Parallel()
	app := ashlartest.Open(t)
	app.Mount(New(app.DB).Module())
	app.Migrate()
	ctx := t.Context()
	balances := func() map[Account]int64 {
		t.Helper()
		sums, err := db.All[Balance](ctx, app.DB, `SELECT account, currency, balance FROM ledger_sums`)
		if err != nil {
			t.Fatal(err)
		}
		all := map[Account]int64{}
		for _, b := range sums {
			all[b.Account] = b.Balance
		}
		return all
	}
	// As a program of before would have written it.
	if _, err := db.Exec(ctx, app.DB, `
		INSERT INTO ledger_balances (merchant_id, currency, account, balance)
		VALUES ('mer_1', 'EUR', 'receivable', 1000), ('mer_1', 'EUR', 'payable', -1000)`); err != nil {
		t.Fatal(err)
	}
	const payments = 200
	var writing sync.WaitGroup
	for n := range payments {
		writing.Go(func() {
			_, err := db.InTx(ctx, app.DB, func(tx *db.Tx) (struct{}, error) {
				about := of(fmt.Sprintf("pay_%d", n))
				return struct{}{}, Post(ctx, tx, about, Hold(3), Release(3), Charge(3))
			}, db.ReadCommitted)
			if err != nil {
				t.Error(err)
			}
		})
	}
	writing.Wait()
	want := map[Account]int64{Authorized: 0, Held: 0, Receivable: 1000 + 3*payments, Payable: -1000 - 3*payments}
	if got := balances(); !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	used, err := db.One[int](ctx, app.DB, `SELECT count(*) FROM ledger_slots WHERE account = 'payable'`)
	if err != nil || used != slots {
		t.Errorf("%d payments are spread over %d rows, %v", payments, used, err)
	}

	history := db.Migrations{Name: "ledger", FS: migrations}
	if _, err := db.Down(ctx, app.DB, 1, history); err != nil {
		t.Fatal(err)
	}
	left, err := db.One[int64](ctx, app.DB, `SELECT balance FROM ledger_balances WHERE account = 'receivable'`)
	if err != nil || left != want[Receivable] {
		t.Errorf("after a way back %d are left, %v", left, err)
	}
	if _, err := db.Up(ctx, app.DB, history); err != nil {
		t.Fatal(err)
	}
	if got := balances(); !maps.Equal(got, want) {
		t.Errorf("forward again: got %v, want %v", got, want)
	}
}

// BenchmarkOneMerchant has 32 write the books of one merchant at once, each
// commit on the disk before the next: with all in one row, and spread.
func BenchmarkOneMerchant(b *testing.B) {
	server := backing.PostgresServer(b, "fsync=on", "synchronous_commit=on")
	d, err := postgres.Open(b.Context(), postgres.Config{URL: server.URL(), MaxConns: 16})
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	if _, err := db.Up(b.Context(), d, db.Migrations{Name: "ledger", FS: migrations}); err != nil {
		b.Fatal(err)
	}
	for _, c := range []struct {
		name string
		slot func(payment string) int64
	}{
		{"one row", func(string) int64 { return 0 }},
		{"slots", slotOf},
	} {
		b.Run(c.name, func(b *testing.B) {
			const writers = 32
			work := make(chan int)
			var writing sync.WaitGroup
			for range writers {
				writing.Go(func() {
					for n := range work {
						_, err := db.InTx(b.Context(), d, func(tx *db.Tx) (struct{}, error) {
							about := of(fmt.Sprintf("pay_%d", n))
							return struct{}{}, post(b.Context(), tx, about, Charge(3), c.slot(about.PaymentID))
						}, db.ReadCommitted)
						if err != nil && b.Context().Err() == nil {
							b.Error(err)
						}
					}
				})
			}
			b.ResetTimer()
			for n := range b.N {
				work <- n
			}
			close(work)
			writing.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "postings/s")
		})
	}
}
