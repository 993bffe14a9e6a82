package payment

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/examples/payments/internal/card"
	"github.com/ashlar-go/ashlar/examples/payments/internal/money"
	"github.com/ashlar-go/ashlar/examples/payments/internal/network"
)

// A step is something that happened to a payment of the demonstration.
type step struct {
	at  time.Time
	run func(ctx context.Context, tx *db.Tx, at time.Time) error
}

// Demo writes what days of business might have left: payments of merchants in
// every state, with their ledger entries and events. They go through the same
// transitions as real ones; only the clock and the network's answers are made
// up.
func (s *Service) Demo(ctx context.Context, tx *db.Tx, days int, merchants ...string) error {
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same demonstration for everybody
	end := now()
	var steps []step
	for day := range days {
		for _, merchant := range merchants {
			for range 3 + random.IntN(3) {
				at := end.AddDate(0, 0, -day).Add(-time.Duration(random.Int64N(int64(24 * time.Hour)))).Truncate(time.Millisecond)
				steps = append(steps, s.story(random, merchant, at)...)
			}
		}
	}
	slices.SortStableFunc(steps, func(a, b step) int { return a.at.Compare(b.at) })
	for _, step := range steps {
		if step.at.After(end) {
			break
		}
		if err := step.run(ctx, tx, step.at); err != nil {
			return fmt.Errorf("payment of the demonstration: %w", err)
		}
	}
	return nil
}

// story makes up the life of one payment that begins at a moment.
func (s *Service) story(random *rand.Rand, merchant string, at time.Time) []step {
	numbers := []card.Number{"4242424242424242", "5555555555554444", "378282246310005"}
	currencies := []money.Currency{money.EUR, money.EUR, money.EUR, money.USD, money.GBP}
	order := Authorize{
		Amount:    5_00 + random.Int64N(200_00),
		Currency:  currencies[random.IntN(len(currencies))],
		Card:      card.Card{Number: numbers[random.IntN(len(numbers))], ExpMonth: 1 + random.IntN(12), ExpYear: at.Year() + 2},
		Reference: fmt.Sprintf("order-%d", 1000+random.IntN(9000)),
		Capture:   random.IntN(4) == 0,
	}
	var answer network.Answer
	if random.IntN(9) == 0 {
		declines := []network.Decline{network.NoFunds, network.NoFunds, network.Generic, network.ExpiredCard}
		answer.Decline = declines[random.IntN(len(declines))]
	}

	var p Payment
	story := []step{{at, func(ctx context.Context, tx *db.Tx, at time.Time) error {
		i := newIntent(order, merchant, order.Card.Number.Fingerprint(s.fingerprintKey), at)
		err := insert(ctx, tx, i)
		if err == nil {
			p, err = settleIn(ctx, tx, i, answer, at)
		}
		return err
	}}}
	then := func(after time.Duration, what func(ctx context.Context, tx *db.Tx, at time.Time) error) {
		at = at.Add(after)
		story = append(story, step{at, what})
	}
	become := func(transition func(*Payment) (change, error)) func(context.Context, *db.Tx, time.Time) error {
		return func(ctx context.Context, tx *db.Tx, at time.Time) error {
			c, err := transition(&p)
			if err == nil {
				p, err = save(ctx, tx, p, c, at)
			}
			return err
		}
	}
	giveBack := func(amount int64) func(context.Context, *db.Tx, time.Time) error {
		return func(ctx context.Context, tx *db.Tx, at time.Time) error {
			given, c, err := p.refund(amount)
			if err == nil {
				p, err = save(ctx, tx, p, c, at)
			}
			if err == nil {
				_, err = insertRefund(ctx, tx, p, given, "returned goods")
			}
			return err
		}
	}

	if answer.Decline != "" {
		return story
	}
	if !order.Capture {
		switch random.IntN(10) {
		case 0:
			then(holdFor, become((*Payment).expire))
			return story
		case 1:
			then(3*time.Hour, become((*Payment).void))
			return story
		case 2:
			then(20*time.Hour, become(func(p *Payment) (change, error) { return p.capture(p.Amount / 2) }))
		default:
			then(20*time.Hour, become(func(p *Payment) (change, error) { return p.capture(0) }))
		}
	}
	switch random.IntN(12) {
	case 0:
		then(50*time.Hour, giveBack(0))
	case 1:
		then(30*time.Hour, giveBack(1_50))
		then(40*time.Hour, giveBack(80))
	}
	return story
}
