package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ashlar-go/ashlar/bench/procfs"
)

// instances is the measure of how the payments example grows with instances:
// one, two and four processes on one PostgreSQL and one Redis, all on this
// machine, with the same number of clients in all. Each number of instances has
// a database of its own, so that those which are not driven have nothing to do.
func instances(o options, t *table) (err error) {
	binary, err := buildExample(o.dir)
	if err != nil {
		return err
	}
	if os.Getenv(envRedis) == "" {
		return fmt.Errorf("%s is not set: make bench-scale starts a server", envRedis)
	}
	sides := map[string]*fleet{}
	for _, n := range []int{1, 2, 4} {
		f, err := startFleet(binary, o.dir, n)
		sides[fmt.Sprint(n)] = f
		defer func() { err = errors.Join(err, f.stop()) }()
		if err != nil {
			return err
		}
	}
	serial := o.load(o.warm()).serial
	for round := -1; round < o.rounds; round++ { // the one before the first warms up
		for _, side := range turns(max(round, 0), "1", "2", "4") {
			f := sides[side]
			l := load{clients: o.clients / len(f.running), limit: o.cellTime, count: int64(o.most), serial: serial}
			for _, what := range []struct {
				name  string
				calls []call
			}{{"Instances-pay", f.pay}, {"Instances-list", f.list}} {
				row, err := f.drive(what.calls, l)
				if err != nil {
					return fmt.Errorf("%s with %s instances: %w", what.name, side, err)
				}
				if round >= 0 {
					t.add(what.name, side, row...)
				}
			}
		}
	}
	for _, n := range []string{"2", "4"} {
		t.note("%s instances commit %.2f times the payments of one, and answer %.2f times the lists", n,
			t.ratio("Instances-pay", n, "1", "req/s"), t.ratio("Instances-list", n, "1", "req/s"))
	}
	return nil
}

// A fleet is some instances on one database, and what each is sent.
type fleet struct {
	database  string
	drop      func() error
	running   []*program
	pay, list []call
}

// startFleet starts n instances. What it has started is in the fleet after a
// failure too.
func startFleet(binary, dir string, n int) (*fleet, error) {
	f := &fleet{}
	keys, err := exec.Command(binary, "keys", "new").Output()
	if err != nil {
		return f, fmt.Errorf("make signing keys: %w", err)
	}
	if f.database, f.drop, err = newDatabase(fmt.Sprint("instances_", n)); err != nil {
		return f, err
	}
	redis := fmt.Sprintf("%s?prefix=bench%d-%d:", os.Getenv(envRedis), os.Getpid(), n)
	var token string
	for i := range n {
		p, err := startExample(binary, filepath.Join(dir, fmt.Sprintf("instance-%d-of-%d", i, n)),
			"DATABASE_URL="+f.database, "REDIS_URL="+redis, "ASHLAR_SIGNING_KEYS="+strings.TrimSpace(string(keys)))
		if err != nil {
			return f, err
		}
		f.running = append(f.running, p)
		if token == "" { // the other instances know it too
			if token, err = p.signIn(); err != nil {
				return f, err
			}
		}
		f.pay = append(f.pay, newCall("POST", "/v1/payments", http.StatusCreated, orderBody,
			"Accept", "application/json", "Authorization", "Bearer "+token, "Idempotency-Key", serialZero))
		f.list = append(f.list, newCall("GET", "/v1/payments?limit=20", http.StatusOK, "", "Accept", "application/json", "Authorization", "Bearer "+token))
	}
	return f, nil
}

func (f *fleet) stop() (err error) {
	for _, p := range f.running {
		err = errors.Join(err, p.stop())
	}
	if f.drop != nil {
		err = errors.Join(err, f.drop())
	}
	return err
}

// drive drives all instances at once and adds up what came of it. What the
// machine used beyond instances and client is the database's and Redis'.
func (f *fleet) drive(calls []call, l load) (row []metric, err error) {
	cpu := func() (all time.Duration, err error) {
		for _, p := range f.running {
			one, failed := p.used()
			all, err = all+one.CPU, errors.Join(err, failed)
		}
		return all, err
	}
	before, err := cpu()
	if err != nil {
		return nil, err
	}
	machine, err := procfs.MachineCPU()
	if err != nil {
		return nil, err
	}
	wal, err := written(f.database)
	if err != nil {
		return nil, err
	}
	client := ownCPU()
	var (
		all  driven
		errs = make([]error, len(f.running))
		mu   sync.Mutex
		wait sync.WaitGroup
	)
	for i, p := range f.running {
		wait.Go(func() {
			var d driven
			d, errs[i] = l.drive(p.addr, calls[i])
			mu.Lock()
			defer mu.Unlock()
			all.requests += d.requests
			all.wall = max(all.wall, d.wall)
			all.latencies = append(all.latencies, d.latencies...)
		})
	}
	wait.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	client = ownCPU() - client
	after, err := cpu()
	if err != nil {
		return nil, err
	}
	machineAfter, err := procfs.MachineCPU()
	if err != nil {
		return nil, err
	}
	walAfter, err := written(f.database)
	if err != nil {
		return nil, err
	}
	n := float64(all.requests)
	instances, others := after-before, machineAfter-machine-(after-before)-client
	return append(all.metrics(),
		metric{float64(instances.Microseconds()) / n, "instances-cpu-us/op"},
		metric{float64(others.Microseconds()) / n, "servers-cpu-us/op"},
		metric{float64(client.Microseconds()) / n, "client-cpu-us/op"},
		metric{float64(walAfter-wal) / n, "wal-B/op"},
	), nil
}

// written is how much the server has written to its log since it was made.
func written(url string) (n int64, err error) {
	ctx := context.Background()
	c, err := pgx.Connect(ctx, url)
	if err != nil {
		return 0, err
	}
	err = c.QueryRow(ctx, `SELECT pg_current_wal_lsn() - '0/0'`).Scan(&n)
	return n, errors.Join(err, c.Close(ctx))
}
