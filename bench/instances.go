package main

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// instances is the measure of how the payments example grows with instances:
// one, two and four processes on one PostgreSQL and one Redis, all on this
// machine, with the same number of clients in all.
func instances(o options, t *table) (err error) {
	binary, err := buildExample(o.dir)
	if err != nil {
		return err
	}
	redis := os.Getenv(envRedis)
	if redis == "" {
		return fmt.Errorf("%s is not set: make bench-scale starts a server", envRedis)
	}
	const most = 4
	url, drop, err := newDatabase("instances")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, drop()) }()
	var (
		running []*program
		pay     []call
		read    []call
		token   string
	)
	keys, err := exec.Command(binary, "keys", "new").Output()
	if err != nil {
		return fmt.Errorf("make signing keys: %w", err)
	}
	for n := range most {
		p, err := startExample(binary, filepath.Join(o.dir, fmt.Sprint("instance-", n)),
			"DATABASE_URL="+url, "REDIS_URL="+redis, "ASHLAR_SIGNING_KEYS="+strings.TrimSpace(string(keys)))
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, p.stop()) }()
		if token == "" { // the other instances know it too
			if token, err = p.signIn(); err != nil {
				return err
			}
		}
		running = append(running, p)
		pay = append(pay, newCall("POST", "/v1/payments", http.StatusCreated, orderBody,
			"Accept", "application/json", "Authorization", "Bearer "+token, "Idempotency-Key", serialZero))
		read = append(read, newCall("GET", "/v1/payments?limit=20", http.StatusOK, "", "Accept", "application/json", "Authorization", "Bearer "+token))
	}
	serial := o.load(o.warm()).serial
	for round := -1; round < o.rounds; round++ { // the one before the first warms up
		for _, side := range turns(max(round, 0), "1", "2", "4") {
			n := int(side[0] - '0')
			for _, what := range []struct {
				name  string
				calls []call
			}{{"Instances-pay", pay}, {"Instances-list", read}} {
				row, err := driveAll(running[:n], what.calls[:n], load{clients: o.clients / n, limit: o.cellTime, count: int64(o.most), serial: serial})
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

// driveAll drives several instances at once and adds up what came of it.
func driveAll(at []*program, calls []call, l load) (row []metric, err error) {
	cpu := func() (all time.Duration, err error) {
		for _, p := range at {
			one, failed := p.used()
			all, err = all+one.CPU, errors.Join(err, failed)
		}
		return all, err
	}
	before, err := cpu()
	if err != nil {
		return nil, err
	}
	machine, err := machineCPU()
	if err != nil {
		return nil, err
	}
	var (
		all  driven
		errs = make([]error, len(at))
		mu   sync.Mutex
		wait sync.WaitGroup
	)
	for i, p := range at {
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
	after, err := cpu()
	if err != nil {
		return nil, err
	}
	machineAfter, err := machineCPU()
	if err != nil {
		return nil, err
	}
	n := float64(all.requests)
	return append(all.metrics(),
		metric{float64((after - before).Microseconds()) / n, "instances-cpu-us/op"},
		metric{float64((machineAfter - machine).Microseconds()) / n, "machine-cpu-us/op"},
	), nil
}
