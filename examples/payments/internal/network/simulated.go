package network

import (
	"context"
	"embed"
	"fmt"
	"time"

	"github.com/ashlar-go/ashlar"
	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/examples/payments/internal/card"
)

//go:embed migrations
var migrations embed.FS

// Simulated is a card network that knows the usual test cards and approves all
// others. It stands for a remote party: its memory is a table of its own, and
// it is never part of a caller's transaction.
type Simulated struct {
	db *db.DB
}

// NewSimulated returns a network whose memory is in d, once [Simulated.Module]
// is mounted.
func NewSimulated(d *db.DB) *Simulated { return &Simulated{db: d} }

// Module brings the network's table.
func (s *Simulated) Module() ashlar.Module {
	return ashlar.Module{Name: "network", Migrations: migrations}
}

// slowness is how long the network takes for the slow test card.
const slowness = 2 * time.Second

// Authorize answers as the test card says. The slow card's answer is decided
// at once and sent late, so that a caller who gives up and asks again meets it.
func (s *Simulated) Authorize(ctx context.Context, r Request) (Answer, error) {
	answer, first, err := s.remember(r.Key, verdict(r.Card))
	if err != nil || !first || r.Card.Number != "4000000000006975" {
		return answer, err
	}
	select {
	case <-time.After(slowness):
		return answer, nil
	case <-ctx.Done():
		return Answer{}, ctx.Err()
	}
}

// Recall implements [Network].
func (s *Simulated) Recall(_ context.Context, key string) (Answer, error) {
	answer, _, err := s.remember(key, Answer{Unprocessed})
	return answer, err
}

func verdict(c card.Card) Answer {
	switch c.Number {
	case "4000000000000002":
		return Answer{Generic}
	case "4000000000009995":
		return Answer{NoFunds}
	case "4000000000000069":
		return Answer{ExpiredCard}
	case "4000000000000127":
		return Answer{IncorrectCVC}
	case "4000000000000119":
		return Answer{Unprocessed}
	}
	if c.Expired(time.Now()) {
		return Answer{ExpiredCard}
	}
	return Answer{}
}

// remember stores the answer of a key that has none, and returns the one it
// has. It leaves the caller's context behind, as a wire does: whatever joins
// the caller's transactions has no business here.
func (s *Simulated) remember(key string, a Answer) (answer Answer, first bool, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	n, err := db.Exec(ctx, s.db, `
		INSERT INTO network_answers (key, decline, answered_at) VALUES ($1, $2, $3)
		ON CONFLICT (key) DO NOTHING`, key, a.Decline, time.Now())
	if err == nil && n == 0 {
		a.Decline, err = db.One[Decline](ctx, s.db, `SELECT decline FROM network_answers WHERE key = $1`, key)
	}
	if err != nil {
		return Answer{}, false, fmt.Errorf("simulated network: %w", err)
	}
	return a, n == 1, nil
}
