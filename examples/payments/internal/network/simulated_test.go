package network_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ashlar-go/ashlar/ashlartest"
	"github.com/ashlar-go/ashlar/examples/payments/internal/card"
	"github.com/ashlar-go/ashlar/examples/payments/internal/network"
)

func simulated(t *testing.T) *network.Simulated {
	t.Helper()
	app := ashlartest.Open(t)
	cards := network.NewSimulated(app.DB)
	app.Mount(cards.Module())
	app.Migrate()
	return cards
}

func request(key string, number card.Number) network.Request {
	return network.Request{Key: key, Card: card.Card{Number: number, ExpMonth: 1, ExpYear: 2099}, Amount: 1, Currency: "EUR"}
}

func TestAnswersAKeyOnce(t *testing.T) {
	t.Parallel()
	cards := simulated(t)
	for range 2 {
		if answer, err := cards.Authorize(t.Context(), request("k", "4000000000009995")); answer.Decline != network.NoFunds || err != nil {
			t.Errorf("got %+v, %v", answer, err)
		}
	}
	if answer, err := cards.Authorize(t.Context(), request("k", "4242424242424242")); answer.Decline != network.NoFunds || err != nil {
		t.Errorf("another card under the same key got %+v, %v", answer, err)
	}
	if answer, err := cards.Recall(t.Context(), "k"); answer.Decline != network.NoFunds || err != nil {
		t.Errorf("recalled %+v, %v", answer, err)
	}
}

func TestSlowAnswerIsDecidedBeforeItIsSent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cards := simulated(t)
		impatient, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		if _, err := cards.Authorize(impatient, request("k", "4000000000006975")); err == nil {
			t.Error("the slow card was answered at once")
		}
		began := time.Now()
		if answer, err := cards.Authorize(t.Context(), request("k", "4000000000006975")); answer.Decline != "" || err != nil || time.Since(began) > 0 {
			t.Errorf("asked again: %+v, %v after %v", answer, err, time.Since(began))
		}
	})
}

func TestRecallClosesAKeyThatWasNeverSeen(t *testing.T) {
	t.Parallel()
	cards := simulated(t)
	for range 2 {
		if answer, err := cards.Recall(t.Context(), "k"); answer.Decline != network.Unprocessed || err != nil {
			t.Errorf("recalled %+v, %v", answer, err)
		}
	}
	if answer, err := cards.Authorize(t.Context(), request("k", "4242424242424242")); answer.Decline != network.Unprocessed || err != nil {
		t.Errorf("a late request is answered %+v, %v", answer, err)
	}
}
