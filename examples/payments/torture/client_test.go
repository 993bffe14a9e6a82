package torture

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
)

// stale is how old a read may be that another instance answers: the bound that
// docs/caching.md states, and what a frozen process adds to it.
const stale = 10 * time.Second

// A buyer is one client under load. It makes payments, captures, refunds and
// voids them, and repeats each request until it knows what became of it; often
// it sends a request to two instances at once. What it learned, it remembers.
type buyer struct {
	number  int
	shops   []*shop // the instances
	random  *rand.Rand
	history *history
	over    <-chan struct{} // closed when no new payment shall begin

	known    []*purchase
	requests int
	wrong    []string // what no client may ever see
}

// A purchase is a payment as its buyer knows it.
type purchase struct {
	order

	key     string
	id      string // empty until it was answered
	decline bool
	last    payment   // newest state that was acknowledged
	at      time.Time // when it was acknowledged
	refunds []string  // ids that were acknowledged
}

// buy goes on until it is over.
func (b *buyer) buy(ctx context.Context) {
	for n := 0; ctx.Err() == nil; n++ {
		select {
		case <-b.over:
			return
		default:
		}
		b.purchase(ctx, n)
	}
}

// The cards: most are good, and some are not.
var numbers = []string{
	"4242424242424242", "4242424242424242", "5555555555554444", "378282246310005", "4242424242424242",
	"4000000000000002", "4000000000009995",
}

func (b *buyer) purchase(ctx context.Context, n int) {
	name := fmt.Sprintf("%s%d-%d", ofBuyers, b.number, n)
	p := &purchase{key: name, order: order{
		Amount: 100 + b.random.Int64N(10_000), Currency: []string{"EUR", "GBP", "USD"}[b.random.IntN(3)], Reference: name,
		Capture: b.random.IntN(3) == 0, Card: card{numbers[b.random.IntN(len(numbers))], 12, 2040, "123"},
	}}
	if p.Card.Number[0] == '3' {
		p.Card.CVC = "1234"
	}
	b.known = append(b.known, p)
	r, ok := b.insist(ctx, "authorize", "/v1/payments", p.key, p.order)
	if !ok {
		return
	}
	switch r.status {
	case http.StatusCreated:
		b.acknowledge(p, r)
	case http.StatusPaymentRequired:
		p.id, p.decline = r.id, true
	default:
		b.mark("%s: a payment was answered %d %s", p.key, r.status, r.code)
		return
	}
	if b.random.IntN(8) == 0 {
		b.misuse(ctx, p)
	}
	for step := range 3 {
		if p.decline || b.random.IntN(4) == 0 {
			return
		}
		b.step(ctx, p, step)
		b.look(ctx, p)
	}
}

// step does what can be done with a payment in its state.
func (b *buyer) step(ctx context.Context, p *purchase, step int) {
	key := fmt.Sprintf("%s-%d", p.key, step)
	path := "/v1/payments/" + p.id
	switch left := p.last.Captured - p.last.Refunded; {
	case p.last.Status == "authorized" && b.random.IntN(5) == 0:
		b.change(ctx, p, "void", path+"/void", key, nil, "voided")
	case p.last.Status == "authorized":
		amount := part{1 + b.random.Int64N(p.last.Amount)}
		b.change(ctx, p, "capture", path+"/capture", key, amount, "captured")
	case left > 0:
		r, ok := b.insist(ctx, "refund", path+"/refunds", key, part{1 + b.random.Int64N(left)})
		switch {
		case !ok:
		case r.status == http.StatusCreated:
			p.refunds = append(p.refunds, r.id)
			b.refresh(ctx, p)
		default:
			b.mark("%s: a refund was answered %d %s", p.key, r.status, r.code)
		}
	}
}

func (b *buyer) change(ctx context.Context, p *purchase, operation, path, key string, in any, want string) {
	r, ok := b.insist(ctx, operation, path, key, in)
	if !ok {
		return
	}
	if r.status != http.StatusOK {
		b.mark("%s: %s was answered %d %s", p.key, operation, r.status, r.code)
		return
	}
	b.acknowledge(p, r)
	if p.last.Status != want {
		b.mark("%s: %s left the payment %s", p.key, operation, p.last.Status)
	}
}

// acknowledge remembers what the client was told of its payment.
func (b *buyer) acknowledge(p *purchase, r reply) {
	var got payment
	if err := r.read(&got); err != nil {
		b.mark("%s: %v", p.key, err)
		return
	}
	if p.id != "" && p.id != got.ID {
		b.mark("%s was payment %s and is %s now", p.key, p.id, got.ID)
	}
	if got.Amount != p.Amount || got.Currency != p.Currency || got.Reference != p.Reference {
		b.mark("%s: another payment was answered: %+v", p.key, got)
	}
	p.id, p.last, p.at = got.ID, got, r.call
}

// refresh reads the payment until it shows the refund that was acknowledged.
func (b *buyer) refresh(ctx context.Context, p *purchase) {
	for began := time.Now(); ctx.Err() == nil; pause(ctx, 50*time.Millisecond) {
		r := b.any().send(ctx, http.MethodGet, "/v1/payments/"+p.id, "", nil)
		if r.status != http.StatusOK {
			continue
		}
		var got payment
		if err := r.read(&got); err != nil {
			b.mark("%s: %v", p.key, err)
			return
		}
		if got.Version > p.last.Version {
			p.last, p.at = got, r.call
			return
		}
		if r.call.Sub(began) > stale {
			b.mark("%s: an acknowledged refund is not seen after %s", p.key, stale)
			return
		}
	}
}

// look reads the payment anywhere: it may be a little old, and not more.
func (b *buyer) look(ctx context.Context, p *purchase) {
	r := b.any().send(ctx, http.MethodGet, "/v1/payments/"+p.id, "", nil)
	if r.status != http.StatusOK {
		return
	}
	var got payment
	if err := r.read(&got); err != nil {
		b.mark("%s: %v", p.key, err)
		return
	}
	if got.Version < p.last.Version && r.call.Sub(p.at) > stale {
		b.mark("%s: version %d was read %s after version %d was acknowledged", p.key, got.Version, r.call.Sub(p.at), p.last.Version)
	}
}

// misuse brings the key of a payment with another request.
func (b *buyer) misuse(ctx context.Context, p *purchase) {
	other := p.order
	other.Amount++
	r := b.once(ctx, b.any(), "authorize", "/v1/payments", p.key, other)
	if r.outcome() == answered {
		b.mark("%s: its key answered %d to another request", p.key, r.status)
	}
}

// insist repeats a request until its outcome is known. It reports false when
// time is up.
func (b *buyer) insist(ctx context.Context, operation, path, key string, in any) (reply, bool) {
	for try := 0; ctx.Err() == nil; try++ {
		replies := []reply{{}}
		if len(b.shops) > 1 && b.random.IntN(4) == 0 {
			replies = b.twins(ctx, operation, path, key, in)
		} else {
			replies[0] = b.once(ctx, b.any(), operation, path, key, in)
		}
		for _, r := range replies {
			if r.outcome() == answered && !changedMeanwhile(r) {
				return r, true
			}
		}
		pause(ctx, time.Duration(b.random.Int64N(int64(min(50*time.Millisecond<<min(try, 5), time.Second)))))
	}
	return reply{}, false
}

// changedMeanwhile says that a twin of the request, or a job, won a race for the
// payment itself: the answer is not kept, and the next try learns the winner's.
func changedMeanwhile(r reply) bool { return r.status == http.StatusConflict }

// twins sends a request to two instances at once.
func (b *buyer) twins(ctx context.Context, operation, path, key string, in any) []reply {
	first := b.random.IntN(len(b.shops))
	replies := make([]reply, 2)
	var both sync.WaitGroup
	for i := range replies {
		s := b.shops[(first+i)%len(b.shops)]
		both.Go(func() { replies[i] = b.record(ctx, s, operation, path, key, in) })
	}
	both.Wait()
	b.requests += 2
	return replies
}

func (b *buyer) once(ctx context.Context, s *shop, operation, path, key string, in any) reply {
	b.requests++
	return b.record(ctx, s, operation, path, key, in)
}

// record sends a request and writes it into the history. It is called by twins
// side by side.
func (b *buyer) record(ctx context.Context, s *shop, operation, path, key string, in any) reply {
	call := b.history.now()
	r := s.send(ctx, http.MethodPost, path, key, in)
	o := r.outcome()
	if changedMeanwhile(r) {
		o = refused
	}
	b.history.add(request{
		client: b.number, operation: operation, key: key, fingerprint: fmt.Sprint(in), call: call, back: b.history.now(),
		outcome: o, answer: fmt.Sprint(r.status, " ", r.id),
	})
	return r
}

func (b *buyer) any() *shop { return b.shops[b.random.IntN(len(b.shops))] }

func (b *buyer) mark(format string, args ...any) {
	b.wrong = append(b.wrong, fmt.Sprintf(format, args...))
}

// pause waits, unless ctx ends.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
