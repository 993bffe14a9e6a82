package payment

import (
	"context"
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/examples/payments/internal/network"
	"github.com/ashlar-go/ashlar/fault"
)

// book is a record in memory.
type book map[string]intent

func (b book) begin(_ context.Context, p intent) error { b[p.ID] = p; return nil }

func (b book) find(_ context.Context, id string) (intent, error) { return b[id], nil }

func (b book) settle(_ context.Context, p intent, answer network.Answer) (Payment, error) {
	p.settle(answer, p.Capture)
	if b[p.ID] = p; p.Status == Declined {
		return Payment{}, declined(p.Payment)
	}
	return p.Payment, nil
}

// issuer answers what a test says, and knows what was on record when it was
// asked.
type issuer struct {
	book book
	down bool
	says network.Answer
	err  error
	seen []Status
}

func (i *issuer) Authorize(_ context.Context, r network.Request) (network.Answer, error) {
	i.seen = append(i.seen, i.book[r.Key].Status)
	return i.says, i.err
}

func (i *issuer) Recall(context.Context, string) (network.Answer, error) { return i.says, i.err }

func (i *issuer) Available() error {
	if i.down {
		return network.ErrUnavailable
	}
	return nil
}

// TestAuthorizeAlone is the unit test of an authorisation: the service between a
// record in memory and an issuer that does what it is told.
func TestAuthorizeAlone(t *testing.T) {
	t.Parallel()
	captured := func(in *Authorize) { in.Capture = true }
	for name, c := range map[string]struct {
		issuer issuer
		change func(*Authorize)
		want   error
		stands []Status // on record at the end
	}{
		"approved":       {stands: []Status{Authorized}},
		"taken at once":  {change: captured, stands: []Status{Captured}},
		"declined":       {issuer: issuer{says: network.Answer{Decline: "insufficient_funds"}}, want: ErrDeclined, stands: []Status{Declined}},
		"no answer":      {issuer: issuer{err: network.ErrUnavailable}, want: network.ErrUnavailable, stands: []Status{pending}},
		"not to be had":  {issuer: issuer{down: true}, want: network.ErrUnavailable},
		"not their name": {change: func(in *Authorize) { in.MerchantID = "mer_1" }, want: fault.ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			begun := time.Now()
			i := c.issuer
			i.book = book{}
			s := &Service{record: i.book, network: &i, merchants: anyone{}}
			in := order()
			if c.change != nil {
				c.change(&in)
			}
			p, err := s.Authorize(access.With(t.Context(), access.Principal{ID: "usr_1", Account: "mer_2"}), in)
			if !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			var stands []Status
			for kept := range maps.Values(i.book) {
				stands = append(stands, kept.Status)
			}
			if !slices.Equal(stands, c.stands) || err == nil && p.Status != c.stands[0] {
				t.Errorf("%v stand on record, want %v; it answered %s", stands, c.stands, p.Status)
			}
			if slices.ContainsFunc(i.seen, func(s Status) bool { return s != pending }) {
				t.Errorf("the issuer was asked when %v stood on record: a crash would lose the hold", i.seen)
			}
			t.Logf("took %s", time.Since(begun))
		})
	}
}

// BenchmarkAuthorizeAlone is what such a test costs.
func BenchmarkAuthorizeAlone(b *testing.B) {
	i := &issuer{book: book{}}
	s := &Service{record: i.book, network: i, merchants: anyone{}}
	ctx := access.With(b.Context(), access.Principal{ID: "usr_1", Account: "mer_2"})
	for b.Loop() {
		if _, err := s.Authorize(ctx, order()); err != nil {
			b.Fatal(err)
		}
		clear(i.book)
	}
}
