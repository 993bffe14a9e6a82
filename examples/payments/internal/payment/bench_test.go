package payment

import (
	"testing"

	"github.com/ashlar-go/ashlar/ashlartest"
	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/examples/payments/internal/network"
	"github.com/ashlar-go/ashlar/internal/backing"
)

// BenchmarkChanges is what a payment costs the database that is begun, authorised
// and captured, as it is, without the indexes of filtered lists, and with a row
// for what is kept at each change, as op.Invalidates would write it. A hundred
// share a transaction, so that the disk does not hide the rest.
func BenchmarkChanges(b *testing.B) {
	for name, url := range map[string]func(b *testing.B) string{
		"sqlite":   func(b *testing.B) string { return "sqlite:" + b.TempDir() + "/app.db" },
		"postgres": func(b *testing.B) string { return backing.PostgresSchema(b) },
	} {
		b.Run(name+"/as it is", func(b *testing.B) { benchmarkChanges(b, use(ashlartest.Open(b, "DATABASE_URL", url(b))), false) })
		b.Run(name+"/without indexes of lists", func(b *testing.B) {
			s := use(ashlartest.Open(b, "DATABASE_URL", url(b)))
			s.app.Migrate()
			if _, err := db.Down(b.Context(), s.db, 1, histories()[1]); err != nil {
				b.Fatal(err)
			}
			benchmarkChanges(b, s, false)
		})
		b.Run(name+"/with a row for the cache", func(b *testing.B) { benchmarkChanges(b, use(ashlartest.Open(b, "DATABASE_URL", url(b))), true) })
	}
}

func benchmarkChanges(b *testing.B, s setup, invalidates bool) {
	const together = 100
	s.app.Migrate()
	ctx, in := b.Context(), order()
	change := func(tx *db.Tx) (err error) {
		i := newIntent(in, "shop-1", "fingerprint", now())
		if err := insert(ctx, tx, i); err != nil {
			return err
		}
		p, err := settleIn(ctx, tx, i, network.Answer{}, now())
		if err == nil && invalidates {
			err = s.app.Cache.Invalidate(ctx, tx, "payment/"+p.ID)
		}
		if err != nil {
			return err
		}
		c, err := p.capture(0)
		if err != nil {
			return err
		}
		p, err = save(ctx, tx, p, c, now())
		if err == nil && invalidates {
			err = s.app.Cache.Invalidate(ctx, tx, "payment/"+p.ID)
		}
		return err
	}
	b.ReportAllocs()
	for b.Loop() {
		_, err := db.InTx(ctx, s.db, func(tx *db.Tx) (_ struct{}, err error) {
			for range together {
				if err = change(tx); err != nil {
					break
				}
			}
			return struct{}{}, err
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*together), "µs/payment")
}
