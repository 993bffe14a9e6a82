package webhook_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/outbound"
	"github.com/ashlar-go/ashlar/outbound/outboundtest"
	"github.com/ashlar-go/ashlar/webhook"
)

// TestSendDue sends what is due by the clock, and nothing else.
func TestSendDue(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d *db.DB) {
		var hosts outboundtest.Hosts
		b := setup(t, d, func(c *webhook.Config) { c.Client = outbound.New(outbound.Config{Within: hosts.Within}) })
		well := hosts.Play(t, "https://well.example", outboundtest.Status(204))
		ill := hosts.Play(t, "https://ill.example", outboundtest.Status(500), outboundtest.Reset, outboundtest.Status(204))
		b.at(well.URL)
		b.at(ill.URL)
		sent := func(want int) {
			t.Helper()
			if n, err := b.SendDue(b.ctx); n != want || err != nil {
				t.Errorf("%d attempts, %v; want %d", n, err, want)
			}
		}
		sent(0)
		b.enqueue(message("m1", "k"))
		b.enqueue(message("m2", "k")) // waits behind the first where that one fails
		sent(3)
		sent(0)
		b.clock.advance(24 * time.Hour)
		sent(1) // and breaks off
		b.clock.advance(24 * time.Hour)
		sent(2)
		if got := b.count("deliveries WHERE state = 'delivered'"); got != 4 || len(ill.Calls()) != 4 || len(well.Calls()) != 2 {
			t.Errorf("%d are delivered, with %d and %d calls", got, len(ill.Calls()), len(well.Calls()))
		}
		ctx, stop := context.WithCancel(b.ctx)
		stop()
		if _, err := b.SendDue(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}
