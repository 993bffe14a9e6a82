package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// A pageKind is a page of the list of payments.
type pageKind struct{ name, who, query string }

// The kinds of pages: what a merchant and what staff look at, at the top, in the
// middle, and filtered down to what is rare.
var pageKinds = []pageKind{
	{"first", "merchant", "limit=20"},
	{"middle", "merchant", "limit=20&created_before=" + middle},
	{"status", "merchant", "limit=20&status=captured"},
	{"rare status", "merchant", "limit=20&status=expired"},
	{"rare both", "merchant", "limit=20&status=expired&currency=GBP"},
	{"currency", "merchant", "limit=20&currency=EUR"},
	{"span", "merchant", "limit=20&created_after=" + beforeMiddle + "&created_before=" + middle},
	{"of all, first", "support", "limit=20"},
	{"of all, middle", "support", "limit=20&created_before=" + middle},
	{"of all, currency", "support", "limit=20&currency=GBP"},
	{"of all, rare", "support", "limit=20&status=expired&currency=USD"},
}

// The seeded payments are spread over the year before yearEnd.
const (
	yearEnd      = "2026-01-01T00:00:00Z"
	middle       = "2025-07-01T00:00:00Z"
	beforeMiddle = "2025-06-30T00:00:00Z"
)

// pages is the measure of what a page of a list costs with a thousand payments
// in PostgreSQL and with very many, side by side.
func pages(o options, t *table) (err error) {
	binary, err := buildExample(o.dir)
	if err != nil {
		return err
	}
	sizes := map[string]int{"1000": 1000, fmt.Sprint(o.rows): o.rows}
	large := fmt.Sprint(o.rows)
	calls := map[string]map[string]call{} // by size and kind
	sides := map[string]*program{}
	for name, rows := range sizes {
		url, drop, err := newDatabase("pages_" + name)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, drop()) }()
		p, err := startExample(binary, filepath.Join(o.dir, "pages-"+name), "DATABASE_URL="+url)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, p.stop()) }()
		if err := seedPayments(url, rows); err != nil {
			return fmt.Errorf("seed %d payments: %w", rows, err)
		}
		sides[name] = p
		if calls[name], err = pageCalls(p); err != nil {
			return err
		}
	}
	l := load{clients: 1, limit: o.cellTime, count: 2000}
	for round := -1; round < o.rounds; round++ { // the one before the first warms up
		for _, kind := range pageKinds {
			for _, name := range turns(max(round, 0), "1000", large) {
				row, _, _, err := cellOnce(sides[name], l, calls[name][kind.name])
				if err != nil {
					return fmt.Errorf("%s of %s: %w", kind.name, name, err)
				}
				if round >= 0 {
					t.add("Page "+kind.name, name, row...)
				}
			}
		}
	}
	first := median(t.values("Page first/1000", "p50-ms"))
	for _, kind := range pageKinds {
		t.note("page %q of %d payments: p50 %.2f of the first page of 1000 (to reach: 1.5)", kind.name, o.rows,
			median(t.values("Page "+kind.name+"/"+large, "p50-ms"))/first)
	}
	return nil
}

func pageCalls(p *program) (map[string]call, error) {
	tokens, calls := map[string]string{}, map[string]call{}
	for _, kind := range pageKinds {
		if tokens[kind.who] == "" {
			token, err := p.signInAs(kind.who)
			if err != nil {
				return nil, err
			}
			tokens[kind.who] = token
		}
		calls[kind.name] = newCall("GET", "/v1/payments?"+kind.query, http.StatusOK, "", "Accept", "application/json", "Authorization", "Bearer "+tokens[kind.who])
	}
	return calls, nil
}

// newDatabase makes an empty database on the server that the environment names.
func newDatabase(name string) (url string, drop func() error, err error) {
	server := os.Getenv(envPostgres)
	if server == "" {
		return "", nil, fmt.Errorf("%s is not set: it must name a PostgreSQL server where databases may be made; make bench-scale starts one", envPostgres)
	}
	name = fmt.Sprintf("bench_%s_%d", name, os.Getpid())
	if err := onServer(server, `CREATE DATABASE `+name); err != nil {
		return "", nil, err
	}
	config, err := pgx.ParseConfig(server)
	if err != nil {
		return "", nil, err
	}
	url = fmt.Sprintf("postgres://%s@%s:%d/%s?sslmode=disable", config.User, config.Host, config.Port, name)
	if config.Password != "" {
		url = strings.Replace(url, "@", ":"+config.Password+"@", 1)
	}
	return url, func() error { return onServer(server, `DROP DATABASE `+name+` WITH (FORCE)`) }, nil
}

// The servers that the measures of scale use.
const (
	envPostgres = "ASHLAR_BENCH_POSTGRES_URL"
	envRedis    = "ASHLAR_BENCH_REDIS_URL"
)

func onServer(url string, statements ...string) error {
	ctx := context.Background()
	c, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	for _, sql := range statements {
		if _, err := c.Exec(ctx, sql); err != nil {
			return errors.Join(fmt.Errorf("%s: %w", strings.TrimSpace(sql), err), c.Close(ctx))
		}
	}
	return c.Close(ctx)
}

// seedPayments writes payments as years of business leave them: a tenth of them
// of the demonstration's merchant, the others of a thousand more, one in 20 000
// expired. Indexes are made afterwards, as a restore makes them.
func seedPayments(url string, rows int) error {
	ctx := context.Background()
	c, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer c.Close(ctx)
	indexes, err := c.Query(ctx, `SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'payments' AND indexname <> 'payments_pkey'`)
	if err != nil {
		return err
	}
	type index struct{ Name, Definition string }
	all, err := pgx.CollectRows(indexes, pgx.RowToStructByPos[index])
	if err != nil {
		return err
	}
	for _, i := range all {
		if _, err := c.Exec(ctx, `DROP INDEX `+i.Name); err != nil {
			return err
		}
	}
	const chunk = 1_000_000
	began := time.Now()
	for from := 0; from < rows; from += chunk {
		to := min(from+chunk, rows)
		if _, err := c.Exec(ctx, seedSQL, from, to-1, rows, yearEnd); err != nil {
			return err
		}
		if rows > chunk {
			fmt.Fprintf(os.Stderr, "seeded %d of %d payments in %s\n", to, rows, time.Since(began).Round(time.Second))
		}
	}
	for _, i := range all {
		if _, err := c.Exec(ctx, i.Definition); err != nil {
			return err
		}
	}
	_, err = c.Exec(ctx, `VACUUM ANALYZE payments`)
	return err
}

const seedSQL = `
	INSERT INTO payments (id, merchant_id, status, amount, captured_amount, refunded_amount, currency, card, fingerprint,
		reference, description, metadata, decline_code, capture, created_at, updated_at, version)
	SELECT 'pay_0' || lpad(n::text, 25, '0'),
		CASE WHEN n % 10 = 0 THEN 'mer_00000000000000000000000001' ELSE 'mer_' || lpad((n % 1000 + 10)::text, 26, '0') END,
		status, 1000 + n % 90000, CASE WHEN status = 'captured' THEN 1000 + n % 90000 ELSE 0 END, 0,
		(ARRAY['EUR', 'EUR', 'GBP', 'USD'])[(n / 10) % 4 + 1],
		'{"brand":"visa","last4":"4242","exp_month":12,"exp_year":2030}', 'ABCDEFGHIJKLMNOPQRSTUVWX',
		'order-' || n, 'Two boxes of limestone setts', '{"channel":"web"}', CASE WHEN status = 'declined' THEN 'insufficient_funds' ELSE '' END, false,
		at, at, 2
	FROM (
		SELECT n, $4::timestamptz - (($3 - n)::float8 / $3) * interval '365 days' AS at,
			CASE WHEN n % 20000 = 10 THEN 'expired' WHEN n % 11 = 3 THEN 'declined' ELSE 'captured' END AS status
		FROM generate_series($1::bigint, $2::bigint) n
	) seeded`
