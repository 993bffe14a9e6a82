package network_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ashlar-go/ashlar/examples/payments/internal/network"
)

// script is a network that answers its calls in order; the last entry answers
// all that follow.
type script struct {
	calls   []func(ctx context.Context) (network.Answer, error)
	keys    []string
	started []time.Time
}

func (s *script) Authorize(ctx context.Context, r network.Request) (network.Answer, error) {
	s.keys, s.started = append(s.keys, r.Key), append(s.started, time.Now())
	return s.calls[min(len(s.keys), len(s.calls))-1](ctx)
}

func (s *script) Recall(ctx context.Context, key string) (network.Answer, error) {
	return s.Authorize(ctx, network.Request{Key: key})
}

func approve(context.Context) (network.Answer, error) { return network.Answer{}, nil }

func refuse(context.Context) (network.Answer, error) {
	return network.Answer{}, errors.New("connection refused")
}

func hang(ctx context.Context) (network.Answer, error) {
	<-ctx.Done()
	return network.Answer{}, ctx.Err()
}

type answers = []func(ctx context.Context) (network.Answer, error)

func TestAsksAgainWithTheSameKey(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		remote := &script{calls: answers{hang, refuse, approve}}
		answer, err := network.NewClient(remote).Authorize(t.Context(), network.Request{Key: "k"})
		if err != nil || answer.Decline != "" {
			t.Fatalf("got %+v, %v", answer, err)
		}
		if len(remote.keys) != 3 || remote.keys[0] != "k" || remote.keys[2] != "k" {
			t.Errorf("asked with keys %q, want k three times", remote.keys)
		}
		if waited := remote.started[1].Sub(remote.started[0]); waited < 4*time.Second || waited > 5*time.Second {
			t.Errorf("the second try came after %v; the first one times out after 4 s", waited)
		}
	})
}

func TestGivesUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		remote := &script{calls: answers{refuse}}
		_, err := network.NewClient(remote).Recall(t.Context(), "k")
		if !errors.Is(err, network.ErrUnavailable) || len(remote.keys) != 3 {
			t.Errorf("got %v after %d tries, want %v after 3", err, len(remote.keys), network.ErrUnavailable)
		}
	})
}

func TestBreakerRestsAndTriesOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		remote := &script{calls: answers{refuse, refuse, refuse, refuse, refuse, refuse, approve}}
		client := network.NewClient(remote)
		ask := func() error {
			_, err := client.Authorize(t.Context(), network.Request{Key: "k"})
			return err
		}
		_, _ = ask(), ask() // the fifth failure opens the breaker
		if len(remote.keys) != 5 || client.Available() == nil {
			t.Fatalf("after %d failures Available is %v, want it to end after 5", len(remote.keys), client.Available())
		}
		if err := ask(); !errors.Is(err, network.ErrUnavailable) || len(remote.keys) != 5 {
			t.Fatalf("got %v and %d calls from an open breaker", err, len(remote.keys))
		}

		time.Sleep(10 * time.Second)
		if err := ask(); err == nil || len(remote.keys) != 6 {
			t.Fatalf("got %v and %d calls; the trial fails and must be the only one", err, len(remote.keys))
		}
		time.Sleep(10 * time.Second)
		if err := ask(); err != nil || client.Available() != nil {
			t.Errorf("got %v; the second trial succeeds and closes the breaker", err)
		}
	})
}

func TestImpatientCallersDoNotOpenTheBreaker(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client := network.NewClient(&script{calls: answers{hang}})
		for range 20 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			if _, err := client.Authorize(ctx, network.Request{Key: "k"}); err == nil {
				t.Fatal("got an answer from a network that hangs")
			}
			cancel()
		}
		if err := client.Available(); err != nil {
			t.Errorf("got %v, want the breaker closed", err)
		}
	})
}
