package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ashlar-go/ashlar/cache"
	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/db/postgres"
	"github.com/ashlar-go/ashlar/redis"
)

// keptPayments are the payments that reads asks for, each once in a turn.
const keptPayments = 20_000

// reads is the measure of one read by key from where a value may be: the memory
// of the process, Redis, PostgreSQL. The payments are the same, and what comes
// back is a value of Go in each case.
func reads(o options, t *table) (err error) {
	ctx := context.Background()
	server := os.Getenv(envRedis)
	if server == "" {
		return fmt.Errorf("%s is not set: make bench-scale starts a server", envRedis)
	}
	url, drop, err := newDatabase("reads")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, drop()) }()
	d, err := postgres.Open(ctx, postgres.Config{URL: url})
	if err != nil {
		return err
	}
	defer d.Close()
	if err := storePayments(ctx, d); err != nil {
		return err
	}
	shared, err := redis.Open(ctx, redis.Config{URL: server, Prefix: fmt.Sprintf("bench:%d:", os.Getpid()), Timeout: time.Second})
	if err != nil {
		return err
	}
	defer shared.Close()

	fromDatabase := func(ctx context.Context, n int) (payment, error) {
		return db.One[payment](ctx, d, `SELECT * FROM kept_payments WHERE id = $1`, keptID(n))
	}
	first, err := newReader(shared, fromDatabase)
	if err != nil {
		return err
	}
	if _, err := first.readAll(ctx, 16, first.get); err != nil { // brings them to Redis
		return err
	}
	for _, callers := range []int{1, 16} {
		for round := range o.rounds {
			second, err := newReader(shared, nil) // knows nothing, and may not ask the database
			if err != nil {
				return err
			}
			for _, turn := range []struct {
				where string
				read  func(context.Context, int) (payment, error)
			}{{"redis", second.get}, {"process", second.get}, {"postgres", fromDatabase}} {
				row, err := second.readAll(ctx, callers, turn.read)
				if err != nil {
					return fmt.Errorf("read from %s in round %d: %w", turn.where, round, err)
				}
				t.add(fmt.Sprintf("Read-by-%d", callers), turn.where, row...)
			}
			if s := second.view.Stats(); s.RemoteHits != keptPayments || s.Hits != keptPayments {
				return fmt.Errorf("%d of %d reads were served by Redis, and %d by the process", s.RemoteHits, keptPayments, s.Hits)
			}
		}
		name := fmt.Sprintf("Read-by-%d/", callers)
		t.note("%d at once, p99: in the process %.4f ms (to reach: 0.05), from Redis %.3f ms (1), from PostgreSQL %.3f ms", callers,
			median(t.values(name+"process", "p99-us"))/1000, median(t.values(name+"redis", "p99-us"))/1000, median(t.values(name+"postgres", "p99-us"))/1000)
	}
	return nil
}

// A reader is a cache as one instance has it.
type reader struct {
	view *cache.View[payment]
	load func(ctx context.Context, n int) (payment, error)
}

func newReader(shared *redis.Client, load func(ctx context.Context, n int) (payment, error)) (*reader, error) {
	c, err := cache.New(cache.Config{Remote: shared.Cache(), RemoteTimeout: time.Second, Version: "bench"})
	if err != nil {
		return nil, err
	}
	view, err := cache.Of(c, cache.Rules[payment]{Name: "payments", TTL: time.Hour})
	return &reader{view, load}, err
}

func (r *reader) get(ctx context.Context, n int) (payment, error) {
	return r.view.Get(ctx, keptID(n), func(ctx context.Context) (payment, error) {
		if r.load == nil {
			return payment{}, fmt.Errorf("payment %d is neither in the process nor in Redis", n)
		}
		return r.load(ctx, n)
	})
}

// readAll reads each payment once.
func (r *reader) readAll(ctx context.Context, callers int, read func(context.Context, int) (payment, error)) ([]metric, error) {
	took := make([]time.Duration, keptPayments)
	errs := make([]error, callers)
	var (
		next atomic.Int64
		wait sync.WaitGroup
	)
	began := time.Now()
	for i := range callers {
		wait.Go(func() {
			for {
				n := int(next.Add(1)) - 1
				if n >= keptPayments {
					return
				}
				at := time.Now()
				p, err := read(ctx, n)
				took[n] = time.Since(at)
				if err == nil && p.ID != keptID(n) {
					err = fmt.Errorf("asked for %s, got %s", keptID(n), p.ID)
				}
				if err != nil {
					errs[i] = err
					return
				}
			}
		})
	}
	wait.Wait()
	wall := time.Since(began)
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	slices.Sort(took)
	at := func(share float64) float64 { return float64(took[int(share*(keptPayments-1))].Nanoseconds()) / 1000 }
	return []metric{{keptPayments / wall.Seconds(), "reads/s"}, {at(0.50), "p50-us"}, {at(0.99), "p99-us"}}, nil
}

func keptID(n int) string { return fmt.Sprintf("pay_%026d", n) }

// storePayments makes a table of payments, as many as are read.
func storePayments(ctx context.Context, d *db.DB) error {
	if _, err := db.Exec(ctx, d, `CREATE TABLE kept_payments (id TEXT PRIMARY KEY, merchant_id TEXT, status TEXT, amount BIGINT, captured_amount BIGINT,
		refunded_amount BIGINT, currency TEXT, card JSONB, reference TEXT, description TEXT, metadata JSONB,
		created_at TIMESTAMPTZ, updated_at TIMESTAMPTZ, version BIGINT)`); err != nil {
		return err
	}
	if _, err := db.Exec(ctx, d, `INSERT INTO kept_payments SELECT 'pay_' || lpad(n::text, 26, '0'), 'mer_1', 'authorized', 125099, 0, 0, 'EUR',
		'{"brand":"visa","last4":"4242","exp_month":12,"exp_year":2030}', 'order-' || n, 'Two boxes of limestone setts, sawn on six sides',
		'{"basket":"b_01JD8Z3K5Q","channel":"web","customer":"c_01JD8Z3K5QW8"}', now(), now(), 1
		FROM generate_series(0, $1::bigint - 1) n`, keptPayments); err != nil {
		return err
	}
	_, err := db.Exec(ctx, d, `ANALYZE kept_payments`)
	return err
}
