package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

// stormers is how many want to sign in at the same time.
const stormers = 1000

// signIns is the measure of what a storm of sign-ins does to those who are
// signed in. A thousand clients, each of an address and an account of its own,
// ask to sign in without end, and wait as long as a refusal says and up to a
// second more; meanwhile payments are read at a steady pace, as they are when
// nobody signs in.
func signIns(o options, t *table) (err error) {
	binary, err := buildExample(o.dir)
	if err != nil {
		return err
	}
	p, err := startExample(binary, filepath.Join(o.dir, "signin-data"), "ASHLAR_TRUSTED_PROXIES=127.0.0.0/8")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.stop()) }()
	token, err := p.signIn()
	if err != nil {
		return err
	}
	get := newCall("GET", "/v1/payments?limit=1", http.StatusOK, "", "Accept", "application/json", "Authorization", "Bearer "+token)
	for range o.rounds {
		idle, err := offer(p.addr, get, readRate, o.cellTime, 0)
		if err != nil {
			return err
		}
		t.add("Signin-idle", "read", idle.metrics()...)
		// Not in this process, whose own latency would be in the measure.
		s, err := start("storm", o.dir, "", envTarget+"="+p.addr)
		if err != nil {
			return err
		}
		during, err := offer(p.addr, get, readRate, o.cellTime+settling, settling)
		row, failed := endStorm(s)
		if err := errors.Join(err, failed); err != nil {
			return err
		}
		if n := len(idle.refused) + len(during.refused); n > 0 {
			return fmt.Errorf("%d reads were refused", n)
		}
		ratio := quantile(during.admitted, 0.99) / quantile(idle.admitted, 0.99)
		t.add("Signin-storm", "read", append(during.metrics(), metric{ratio, "x-p99"})...)
		t.add("Signin-storm", "signin", row...)
	}
	t.note("p99 of a read while %d sign in: %.1f times that of an idle server (to reach: 3)",
		stormers, median(t.values("Signin-storm/read", "x-p99")))
	return nil
}

// readRate is how often a payment is read in a second, far below what the
// server can do: the measure is about the storm.
const readRate = 200

// storm is a thousand clients that want to sign in.
type storm struct {
	running          sync.WaitGroup
	over             chan struct{}
	began            time.Time
	tries, in, later atomic.Int64

	mu  sync.Mutex
	err error
}

// envTarget is where the storm goes.
const envTarget = "ASHLAR_BENCH_TARGET"

// beStorm storms until its input ends, and then says what it did.
func beStorm(context.Context, string) error {
	s := startStorm(os.Getenv(envTarget))
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		return err
	}
	return s.end()
}

func endStorm(p *process) ([]metric, error) {
	var d stormed
	_ = p.in.Close()
	err := p.read(&d)
	return []metric{{d.Tries, "tries/s"}, {d.Hashed, "hashed/s"}, {d.Refused, "refused/s"}}, errors.Join(err, p.cmd.Wait())
}

// stormed is what a storm did in a second.
type stormed struct{ Tries, Hashed, Refused float64 }

func startStorm(addr string) *storm {
	s := &storm{over: make(chan struct{}), began: time.Now()}
	for i := range stormers {
		s.running.Go(func() {
			if err := s.one(addr, i); err != nil {
				s.mu.Lock()
				s.err = errors.Join(s.err, err)
				s.mu.Unlock()
			}
		})
	}
	return s
}

func (s *storm) one(addr string, i int) error {
	pause := time.Duration(0)
	for try := 0; ; try++ {
		select {
		case <-s.over:
			return nil
		case <-time.After(pause + rand.N(time.Second)):
		}
		// An unknown account takes as long as any, and has no count of failures
		// that would refuse the next try before it costs anything.
		body := fmt.Sprintf(`{"email":"%d-%d@storm.test","password":"square-and-true"}`, i, try)
		login := newCall("POST", "/v1/auth/login", http.StatusUnauthorized, body,
			"Accept", "application/json", "X-Forwarded-For", fmt.Sprintf("10.%d.%d.%d", try%250, i/250, i%250+1))
		c, err := connect(addr, login)
		if err != nil {
			return err
		}
		status, err := c.any()
		_ = c.conn.Close()
		if err != nil {
			return err
		}
		s.tries.Add(1)
		switch status {
		case http.StatusUnauthorized: // a hash was computed; the next one takes its place
			s.in.Add(1)
		case http.StatusServiceUnavailable, http.StatusTooManyRequests:
			s.later.Add(1)
		default:
			return fmt.Errorf("sign in answered %d", status)
		}
		pause = c.later
	}
}

// end ends the storm and says what it was.
func (s *storm) end() error {
	close(s.over)
	s.running.Wait()
	seconds := time.Since(s.began).Seconds()
	return errors.Join(s.err, report(stormed{
		float64(s.tries.Load()) / seconds, float64(s.in.Load()) / seconds, float64(s.later.Load()) / seconds,
	}))
}
