package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/ashlar-go/ashlar/bench/procfs"
	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/db/sqlite"
)

// program is the payments example, built and started as a user would.
type program struct {
	cmd  *exec.Cmd
	addr string
	// ready is how long it took from the start of the process to the first
	// 200 of its public listener.
	ready time.Duration
}

// buildExample builds the payments example into dir.
func buildExample(dir string) (binary string, err error) {
	binary, err = filepath.Abs(filepath.Join(dir, "payments"))
	if err != nil {
		return "", err
	}
	build := exec.Command("go", "build", "-o", binary, "github.com/ashlar-go/ashlar/examples/payments")
	build.Stderr = os.Stderr
	return binary, build.Run()
}

// startExample starts the example on free ports with its data in dir, and
// waits until it answers.
func startExample(binary, dir string, env ...string) (p *program, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	out, err := os.Create(filepath.Join(dir, "stdout.log"))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, out.Close()) }() // the process has its own
	p = &program{cmd: exec.Command(binary)}
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = dir, out, os.Stderr
	// Nothing of this process's environment: it could name another database.
	p.cmd.Env = append([]string{
		"ASHLAR_ADDR=127.0.0.1:0", "ASHLAR_ADMIN_ADDR=127.0.0.1:0", "ASHLAR_DATA_DIR=data", "ASHLAR_PUBLIC_DOCS=true",
		"ASHLAR_LIMIT_PRINCIPAL=" + loadLimit, "ASHLAR_LIMIT_ADDRESS=" + loadLimit,
	}, env...)
	began := time.Now()
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	if p.addr, err = awaitAddress(out.Name()); err == nil {
		err = awaitOK("http://" + p.addr + "/openapi.json")
	}
	if err != nil {
		return nil, errors.Join(err, p.stop())
	}
	p.ready = time.Since(began)
	return p, nil
}

const patience = 30 * time.Second

// awaitAddress reads the log until it says where the program serves.
func awaitAddress(log string) (addr string, err error) {
	for began := time.Now(); time.Since(began) < patience; time.Sleep(time.Millisecond) {
		text, err := os.ReadFile(log)
		if err != nil {
			return "", err
		}
		for line := range bytes.Lines(text) {
			var said struct{ Msg, Addr string }
			if json.Unmarshal(line, &said) == nil && said.Msg == "serving" {
				return said.Addr, nil
			}
		}
	}
	return "", fmt.Errorf("did not serve within %s", patience)
}

func awaitOK(url string) error {
	res, err := http.Get(url)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s answered %s", url, res.Status)
	}
	return nil
}

func (p *program) stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return p.cmd.Wait()
}

// signIn returns an access token of the demonstration's merchant.
func (p *program) signIn() (token string, err error) { return p.signInAs("merchant") }

// signInAs returns an access token of one of the demonstration's users.
func (p *program) signInAs(who string) (token string, err error) {
	res, err := http.Post("http://"+p.addr+"/v1/auth/login", "application/json",
		strings.NewReader(`{"email":"`+who+`@demo.test","password":"square-and-true"}`))
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	var session struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.NewDecoder(res.Body).Decode(&session); err != nil {
		return "", err
	}
	if session.AccessToken == "" {
		return "", fmt.Errorf("sign in answered %s", res.Status)
	}
	return session.AccessToken, nil
}

const orderBody = `{"amount":125099,"currency":"EUR","card":{"number":"4242424242424242","exp_month":12,"exp_year":2030,"cvc":"123"},` +
	`"reference":"bench","description":"Two boxes of limestone setts, sawn on six sides",` +
	`"metadata":{"basket":"b_01JD8Z3K5Q","channel":"web","customer":"c_01JD8Z3K5QW8"}}`

func (p *program) at() string { return p.addr }

func (p *program) used() (used, error) {
	cpu, err := procfs.CPU(p.cmd.Process.Pid)
	return used{CPU: cpu}, err
}

// payments is the third measure: payments committed by the whole example, each
// with a key of its own, and by a bare program that does less.
func payments(o options, t *table) (err error) {
	bare, err := startServer("books-bare", o.dir, o.profiles)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, bare.stop()) }()
	binary, err := buildExample(o.dir)
	if err != nil {
		return err
	}
	dir := filepath.Join(o.dir, "payments-data")
	p, err := startExample(binary, dir)
	if err != nil {
		return err
	}
	acknowledged, err := pay(p, bare, o, t)
	if err := errors.Join(err, p.stop()); err != nil {
		return err
	}
	return audit(filepath.Join(dir, "data", "app.db"), acknowledged)
}

// pay drives both sides and returns how many payments the example acknowledged.
func pay(p *program, bare *process, o options, t *table) (acknowledged int64, err error) {
	token, err := p.signIn()
	if err != nil {
		return 0, err
	}
	order := newCall("POST", "/v1/payments", http.StatusCreated, orderBody,
		"Accept", "application/json", "Authorization", "Bearer "+token, "Idempotency-Key", serialZero)
	sides := map[string]server{"bare": bare, "ashlar": p}
	loads := map[string]load{"bare": o.load(o.warm()), "ashlar": o.load(o.warm())}
	for round := -1; round < o.rounds; round++ { // the one before the first warms up
		for _, side := range turns(max(round, 0), "bare", "ashlar") {
			l := loads[side]
			if round >= 0 {
				l.limit = o.cellTime
			}
			row, n, err := o.cell(sides[side], l, order)
			if err != nil {
				return 0, fmt.Errorf("%s: %w", side, err)
			}
			if side == "ashlar" {
				acknowledged += n
			}
			if round >= 0 {
				t.add("Authorize", side, row...)
			}
		}
	}
	t.note("payments committed per second: %.0f (to reach: 2000), %.1f times those of bare",
		median(t.values("Authorize/ashlar", "req/s")), t.ratio("Authorize", "ashlar", "bare", "req/s"))
	return acknowledged, nil
}

// audit counts what the database holds once the server is gone: every
// acknowledged payment, the entries of each, and a ledger that balances.
func audit(path string, acknowledged int64) error {
	ctx := context.Background()
	d, err := sqlite.Open(ctx, sqlite.Config{Path: path})
	if err != nil {
		return err
	}
	defer d.Close()
	of := ` WHERE payment_id IN (SELECT id FROM payments WHERE reference = 'bench')`
	for _, check := range []struct {
		what, sql string
		want      int64
	}{
		{"payments", `SELECT count(*) FROM payments WHERE reference = 'bench' AND status = 'authorized'`, acknowledged},
		{"events", `SELECT count(*) FROM ashlar_event_log WHERE topic = 'payment.authorized' AND key IN (SELECT id FROM payments WHERE reference = 'bench')`, acknowledged},
		{"ledger entries", `SELECT count(*) FROM ledger_entries` + of, 2 * acknowledged},
		{"minor units out of balance", `SELECT sum(amount) FROM ledger_entries` + of, 0},
	} {
		got, err := db.One[int64](ctx, d, check.sql)
		if err != nil {
			return err
		}
		if got != check.want {
			return fmt.Errorf("after %d acknowledged payments the database has %d %s, not %d", acknowledged, got, check.what, check.want)
		}
	}
	return nil
}
