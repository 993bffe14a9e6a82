// Package shop is what the comments of are collected from.
package shop

import (
	"context"
	"iter"

	"github.com/ashlar-go/ashlar/op"
)

// Service serves.
type Service struct{ name string }

// Capture takes an authorized payment, see [Payment]
// and https://example.com/.
//
// It does so:
//   - once
//   - and
//     for all
//
// # Retries
//
// Repeat it with the same key:
//
//	curl -H 'Idempotency-Key: 1'
//
// As [the norm] and [Service.Capture] say.
//
// [the norm]: https://example.com/norm
func (s *Service) Capture(ctx context.Context, in Capture) (Payment, error) {
	return Payment{}, nil
}

// List returns a page.
func List(_ context.Context, _ struct {
	Filter Filter `json:"filter"`
}) (op.Page[Item], error) {
	return op.Page[Item]{}, nil
}

// Watch goes on.
func (*Generic[T]) Watch(context.Context, struct{}) iter.Seq2[Event, error] { return nil }

// Generic is no part of the API.
type Generic[T any] struct{}

// get is given to package op.
func (s *Service) get(context.Context, Capture) (Payment, error) { return Payment{}, nil }

// begin only looks like a handler.
func (s *Service) begin(context.Context, Capture) (Payment, error) { return Payment{}, nil }

func (s *Service) operations() []op.Operation {
	return []op.Operation{
		op.Query("payments.get", "GET /payments/{id}", s.get, op.Public()),
		op.Query("silent", "GET /silent", silent, op.Public()),
	}
}

// helper is no handler: it has no error.
func helper(ctx context.Context, in Capture) Payment { return Payment{} }

// find is no handler: what it takes is not a context.
func find(a string, in Capture) (Payment, error) { return Payment{}, nil }

func silent(context.Context, hidden) (struct{}, error) { return struct{}{}, nil }

// Capture is the input.
type Capture struct {
	ID     string // names the payment
	Amount *int64 `json:"amount"`

	// From and To bound the time.
	From, To string
	Parts    []map[string]part
	//nolint:unused // a directive is no comment
	note string
}

// These types are a group.
type (
	// Payment is the answer.
	Payment struct {
		Card struct {
			// Last4 is lost: the struct has no name.
			Last4 string
		}
		Loop *Payment
		State
	}
	Item  struct{}
	State string   // is one of three
	part  struct{} // is reached
)

// hidden is reached.
type hidden struct{}

// Filter is reached through a struct without a name.
type Filter string

// Event is reached through a sequence.
type Event struct{}

// Tagged is not reached, but looks like something on the wire.
type Tagged struct {
	ID string `json:"id"` // its id
}

// Untouched is neither reached nor tagged.
type Untouched struct {
	ID   string `json:"-"`
	Name string `db:"name"`
}

// intent is tagged and unexported.
type intent struct {
	ID string `json:"id"`
}
