package idem_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/idem"
	"pgregory.net/rapid"
)

// Several clients send the same request in any interleaving of the steps of
// their runs, with rollbacks, crashes, slow runs and sweeps. Whatever happens,
// each phase commits once, a retry goes on from the last committed phase, and
// a response that was committed is what everybody gets from then on.
func TestAnyInterleavingHasOneEffect(t *testing.T) {
	t.Parallel()
	b := setup(t, "&_pragma=busy_timeout(0)")
	var keys atomic.Int64

	rapid.Check(t, func(t *rapid.T) {
		w := &world{
			bench:  b,
			key:    strconv.FormatInt(keys.Add(1), 10),
			phases: rapid.IntRange(1, 3).Draw(t, "phases"),
		}
		defer w.crashAll()
		clients := make([]*client, 3)
		for i := range clients {
			clients[i] = &client{world: w, name: string(rune('A' + i))}
		}
		w.clients = clients
		var all []step
		for _, s := range steps {
			all = append(all, slices.Repeat([]step{s}, s.weight)...)
		}
		pick, run := rapid.SampledFrom(clients), rapid.SampledFrom(all)
		for range rapid.IntRange(0, 120).Draw(t, "steps") {
			run.Draw(t, "step").do(t, pick.Draw(t, "client"))
		}

		// However it was left, one more client brings it to its end.
		w.crashAll()
		b.clock.advance(time.Minute)
		c := clients[0]
		c.begin(t)
		for c.claim != nil {
			c.goOn(t)
		}
		w.verify(t)
	})
}

// A step is what a client may do next; of the sum of all weights its own says
// how often it does.
type step struct {
	name   string
	weight int
	do     func(*rapid.T, *client)
}

// GoString is what a failed test prints.
func (s step) GoString() string { return s.name }

var steps = []step{
	{"go on", 40, func(t *rapid.T, c *client) { c.goOn(t) }},
	{"go on to the end of the transaction", 10, func(t *rapid.T, c *client) {
		c.goOn(t)
		for c.tx != nil {
			c.goOn(t)
		}
	}},
	{"take", 4, func(t *rapid.T, c *client) { c.take(t) }},
	{"roll back and try again", 3, func(t *rapid.T, c *client) { c.rollback(t) }},
	{"fail", 3, func(t *rapid.T, c *client) { c.fail(t) }},
	{"crash", 2, func(_ *rapid.T, c *client) { c.crash() }},
	{"a moment passes", 4, func(_ *rapid.T, c *client) { c.clock.advance(time.Second) }},
	{"a lease passes", 5, func(_ *rapid.T, c *client) { c.clock.advance(time.Minute) }},
	{"the key expires", 1, func(_ *rapid.T, c *client) { c.expire() }},
	{"sweep", 1, func(t *rapid.T, c *client) {
		if _, err := c.store.Sweep(context.Background(), conn{c.db}, 2); err != nil && !busy(err) {
			t.Fatal(err)
		}
	}},
}

// world is what is known to be committed for one key.
type world struct {
	*bench
	key      string
	phases   int // of the operation
	clients  []*client
	life     int         // how often the key has expired
	done     int         // phases
	last     string      // reference of the last of them
	response string      // once the last phase is committed
	holder   *idem.Claim // of the lease
	leased   time.Time   // until then
	runs     int
}

func (w *world) request() idem.Request { return request("any-" + w.key) }

func (w *world) effectKey() string { return w.key + "." + strconv.Itoa(w.life) }

func (w *world) crashAll() {
	for _, c := range w.clients {
		c.crash()
	}
}

// expire ends the life of the key. A run that outlives its key is not
// protected, so there is none.
func (w *world) expire() {
	w.crashAll()
	w.clock.advance(time.Hour)
	w.life, w.done, w.last, w.response = w.life+1, 0, "", ""
	w.holder, w.leased = nil, time.Time{}
}

// verify compares the database with what a single undisturbed run leaves.
func (w *world) verify(t *rapid.T) {
	t.Helper()
	rows, err := w.db.Query(`SELECT ref FROM effects WHERE key = $1 ORDER BY phase`, w.effectKey())
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var refs []string
	for rows.Next() {
		var ref string
		if err := rows.Scan(&ref); err != nil {
			t.Fatal(err)
		}
		refs = append(refs, ref)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	if len(refs) != w.phases || len(slices.Compact(refs)) != 1 {
		t.Fatalf("the effects of %d phases are %q: want one of each, for one payment", w.phases, refs)
	}
	if w.response == "" {
		t.Fatal("the operation never came to its end")
	}
}

// client is one run of the request after another. Without a claim it rests.
type client struct {
	*world
	name    string
	claim   *idem.Claim
	payment string
	next    int // phase
	tx      *sql.Tx
	written bool
	until   time.Time // the lease that was written
}

func (c *client) GoString() string { return c.name }

// lease returns the end of a lease that begins now.
func (c *client) lease() time.Time { return c.clock.now().Add(c.request().Lease) }

// A reference names the payment and how many phases it has behind it.
func reference(payment string, phase int) string { return payment + "/" + strconv.Itoa(phase) }

// goOn takes the next step of a run in which nothing goes wrong.
func (c *client) goOn(t *rapid.T) {
	switch {
	case c.claim == nil:
		c.begin(t)
	case c.tx == nil:
		c.open(t)
	case !c.written:
		c.write(t)
	default:
		c.commit(t)
	}
}

func (c *client) begin(t *rapid.T) {
	claim, stored, err := c.store.Begin(context.Background(), conn{c.db}, c.request())
	switch {
	case stored != nil:
		c.answered(t, stored)
	case errors.Is(err, idem.ErrInFlight):
		if c.response != "" || !c.leased.After(c.clock.now()) {
			t.Fatalf("%s is turned away, but nobody has a lease, or the response %q is committed", c.name, c.response)
		}
	case busy(err): // taking over met another client's transaction
	case err != nil:
		t.Fatal(err)
	default:
		if c.response != "" {
			t.Fatalf("%s may run although the response %q is committed", c.name, c.response)
		}
		if c.leased.After(c.clock.now()) {
			t.Fatalf("%s may run beside a run that has a lease", c.name)
		}
		ref, ok := claim.Ref()
		if ref != c.last || ok != (c.done > 0) {
			t.Fatalf("%s goes on from %q, the last committed phase left %q", c.name, ref, c.last)
		}
		c.runs++
		c.claim, c.payment, c.next = claim, c.name+strconv.Itoa(c.runs), 1
		if ok {
			payment, phase, _ := strings.Cut(ref, "/")
			n, _ := strconv.Atoi(phase)
			c.payment, c.next = payment, n+1
			c.holder, c.leased = claim, c.lease()
		}
	}
}

func (c *client) open(t *rapid.T) {
	tx, err := c.db.Begin()
	switch {
	case busy(err): // another client writes
	case err != nil:
		t.Fatal(err)
	default:
		c.tx, c.written = tx, false
	}
}

func (c *client) take(t *rapid.T) {
	if c.tx == nil || c.written {
		return
	}
	if err := c.claim.Take(context.Background(), conn{c.tx}); err != nil {
		c.failed(t, err)
	}
}

func (c *client) write(t *rapid.T) {
	ctx, tx := context.Background(), conn{c.tx}
	if err := effect(tx, c.effectKey(), c.next, c.payment); err != nil {
		t.Fatal(err)
	}
	var err error
	if c.next < c.phases {
		err = c.claim.Phase(ctx, tx, reference(c.payment, c.next))
	} else {
		err = c.claim.Finish(ctx, tx, created(c.payment))
	}
	if err != nil {
		c.failed(t, err)
		return
	}
	c.written, c.until = true, c.lease()
}

func (c *client) commit(t *rapid.T) {
	if err := c.tx.Commit(); err != nil {
		t.Fatal(err)
	}
	c.tx = nil
	if c.done != c.next-1 {
		t.Fatalf("%s committed phase %d after phase %d", c.name, c.next, c.done)
	}
	c.done, c.last = c.next, reference(c.payment, c.next)
	c.next++
	c.holder, c.leased = c.claim, c.until
	if c.done < c.phases {
		return
	}
	c.response = string(created(c.payment).Body)
	if stored, err := c.claim.Settle(context.Background(), conn{c.db}, nil); stored != nil || err != nil {
		t.Fatalf("Settle of the winner = %v, %v", stored, err)
	}
	c.claim = nil
}

// rollback is a transaction that will be tried again.
func (c *client) rollback(t *rapid.T) {
	if c.tx == nil {
		return
	}
	if err := c.tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	c.tx = nil
}

// fail is a handler that gives up for a reason of its own.
func (c *client) fail(t *rapid.T) {
	if c.claim != nil {
		c.failed(t, errors.New("the network is down"))
	}
}

func (c *client) failed(t *rapid.T, failure error) {
	c.rollback(t)
	stored, err := c.claim.Settle(context.Background(), conn{c.db}, failure)
	switch {
	case stored != nil:
		c.answered(t, stored)
	case err == nil:
		t.Fatalf("%s failed with %v and is told that all is well", c.name, failure)
	case !errors.Is(err, idem.ErrInFlight) && !errors.Is(err, failure):
		t.Fatal(err)
	case c.response != "":
		t.Fatalf("%s is told %v, and not the response %q", c.name, err, c.response)
	case c.holder == c.claim && !busy(err):
		c.leased = time.Time{} // a retry may resume at once
	}
	c.claim = nil
}

// crash ends the process of the client: nobody settles anything.
func (c *client) crash() {
	if c.tx != nil {
		c.tx.Rollback()
	}
	c.claim, c.tx = nil, nil
}

func (c *client) answered(t *rapid.T, stored *idem.Response) {
	if got := string(stored.Body); got != c.response {
		t.Fatalf("%s is answered %s, committed is %q", c.name, got, c.response)
	}
}

func busy(err error) bool {
	return err != nil && strings.Contains(fmt.Sprint(err), "SQLITE_BUSY")
}
