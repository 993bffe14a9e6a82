package postgres

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/fault"
)

// pool is the connections to one server. Who waits for one waits here, for a
// bounded time; pgxpool keeps and makes them.
type pool struct {
	native  *pgxpool.Pool
	conn    *pgconn.Config
	slots   chan struct{} // cap is how many may be in use
	wait    time.Duration
	connect time.Duration

	done     chan struct{} // closed by close
	closed   atomic.Bool
	inUse    atomic.Int64
	waiting  atomic.Int64
	waits    atomic.Int64
	waitTime atomic.Int64
	fresh    atomic.Int64 // Unix milliseconds of the last renewal
}

// newPool returns a pool for c with settings of the session, names and values.
func newPool(c Config, settings ...string) (*pool, error) {
	cfg, err := c.parse(c.URL)
	if err != nil {
		return nil, err
	}
	c.prepared(cfg)
	for i := 0; i+1 < len(settings); i += 2 {
		cfg.ConnConfig.RuntimeParams[settings[i]] = settings[i+1]
	}
	// Those that are being closed, which a dead server can make long, take no
	// place from those that are made anew.
	cfg.MaxConns = int32(2 * c.MaxConns)
	cfg.MinConns, cfg.MinIdleConns = 0, 0
	cfg.MaxConnLifetime, cfg.MaxConnLifetimeJitter = time.Hour, 6*time.Minute
	cfg.MaxConnIdleTime, cfg.HealthCheckPeriod = 5*time.Minute, time.Minute
	cfg.ShouldPing = func(context.Context, pgxpool.ShouldPingParams) bool { return false } // get does
	native, err := pgxpool.NewWithConfig(context.Background(), cfg)
	if err != nil {
		return nil, err
	}
	p := &pool{
		native: native, conn: &cfg.ConnConfig.Config, slots: make(chan struct{}, c.MaxConns),
		wait: c.Wait, connect: c.ConnectTimeout, done: make(chan struct{}),
	}
	for range c.MaxConns {
		p.slots <- struct{}{}
	}
	return p, nil
}

// get takes a connection that works. It must be put back.
func (p *pool) get(ctx context.Context) (*link, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("db/postgres: not started: %w", err)
	}
	select {
	case <-p.done:
		return nil, db.ErrClosed
	case <-p.slots:
	default:
		if err := p.queue(ctx); err != nil {
			return nil, err
		}
	}
	p.inUse.Add(1)
	for {
		l, err := p.acquire(ctx)
		if err != nil {
			p.inUse.Add(-1)
			p.slots <- struct{}{}
			return nil, err
		}
		if l.alive(ctx) {
			return l, nil
		}
		// The others are as dead, and to try each would take as long.
		p.drop(l)
		p.renew()
	}
}

func (p *pool) acquire(ctx context.Context) (*link, error) {
	c, err := p.native.Acquire(ctx)
	if err != nil {
		return nil, p.unreachable(ctx, err)
	}
	l, ok := c.Conn().PgConn().CustomData()[linkKey].(*link)
	if !ok {
		c.Release()
		return nil, errors.New("db/postgres: a connection of somebody else")
	}
	l.pooled = c
	return l, nil
}

// unreachable is why a database that was open before cannot be reached now.
func (p *pool) unreachable(ctx context.Context, err error) error {
	switch ended := ctx.Err(); {
	case p.closed.Load():
		return db.ErrClosed
	case errors.Is(ended, context.Canceled):
		return fmt.Errorf("db/postgres: connecting to %s: %w", place(p.conn), ended)
	case ended != nil:
		return fault.ErrUnavailable.Wrap(fmt.Errorf("db/postgres: cannot connect to %s in time: %w", place(p.conn), ended))
	}
	explained := explain(err, p.conn, p.connect)
	if errors.Is(explained, fault.ErrUnavailable) {
		return explained
	}
	return fault.ErrUnavailable.Wrap(explained)
}

// queue waits for a slot.
func (p *pool) queue(ctx context.Context) error {
	start := time.Now()
	p.waiting.Add(1)
	p.waits.Add(1)
	defer func() {
		p.waiting.Add(-1)
		p.waitTime.Add(int64(time.Since(start)))
	}()
	timer := time.NewTimer(p.wait)
	defer timer.Stop()
	select {
	case <-p.slots:
		return nil
	case <-ctx.Done():
		ended := ctx.Err()
		if errors.Is(ended, context.Canceled) {
			return fmt.Errorf("db/postgres: waiting for a connection: %w", ended)
		}
		return fmt.Errorf("%w: db/postgres: all %d connections to %s were in use for as long as the caller could wait: %w", db.ErrBusy, cap(p.slots), place(p.conn), ended)
	case <-p.done:
		return db.ErrClosed
	case <-timer.C:
		return fmt.Errorf("%w: db/postgres: all %d connections were in use for %s: keep transactions short, close rows sooner, and use the *db.Tx inside InTx", db.ErrBusy, cap(p.slots), p.wait)
	}
}

// suspicious is after how long without use a connection is tried before it is
// trusted, and trial how long that may take.
const (
	suspicious = time.Second
	trial      = time.Second
)

// alive reports whether the connection can be expected to work.
func (l *link) alive(ctx context.Context) bool {
	if time.Since(l.used) < suspicious {
		return true
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), trial)
	defer cancel()
	_ = l.pg.Conn().SetDeadline(time.Now().Add(trial)) // on a closed one the trial fails
	return l.pg.Ping(ctx) == nil && l.usable()
}

// put gives a connection back, or closes it when nobody else could use it.
func (p *pool) put(l *link) {
	gone := l.gone
	if !l.usable() {
		p.drop(l)
	} else {
		l.used = time.Now()
		pooled := l.pooled
		l.pooled = nil
		pooled.Release()
	}
	if gone {
		p.renew()
	}
	p.inUse.Add(-1)
	p.slots <- struct{}{}
}

func (p *pool) drop(l *link) {
	pooled := l.pooled
	l.pooled = nil
	if !l.pg.IsClosed() {
		l.cut()
	}
	pooled.Release()
}

// renew closes the connections that are not in use, and the others when they
// are put back, so that after an outage nobody meets one from before. Once in
// a while is enough.
func (p *pool) renew() {
	const pause = 500 // milliseconds
	now, last := time.Now().UnixMilli(), p.fresh.Load()
	if now-last >= pause && p.fresh.CompareAndSwap(last, now) {
		p.native.Reset()
	}
}

// close waits for connections in use and closes all.
func (p *pool) close() error {
	if p.closed.Swap(true) {
		return nil
	}
	close(p.done)
	timer := time.NewTimer(p.wait)
	defer timer.Stop()
	for n := range cap(p.slots) {
		select {
		case <-p.slots:
		case <-timer.C:
			return fmt.Errorf("db/postgres: Close: %d connections are still in use after %s: some rows were not closed", cap(p.slots)-n, p.wait)
		}
	}
	closed := make(chan struct{})
	go func() { p.native.Close(); close(closed) }()
	select {
	case <-closed:
	case <-timer.C: // a dead server; what is left ends by itself
	}
	return nil
}
