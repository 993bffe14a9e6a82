package webhook_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/webhook"
)

// TestAPauseOfAClockAheadIsOver: what a sender whose clock was ahead enqueued,
// had wait for a retry, or left alone for a rest, is sent by one whose clock is
// right, and not when that time comes. Pauses of clocks that agree are kept,
// however long they are.
func TestAPauseOfAClockAheadIsOver(t *testing.T) {
	t.Parallel()
	const ahead = 2 * time.Hour
	for name, under := range map[string]func(b *bench, endpoint string){
		"what is new": func(b *bench, _ string) { b.enqueue(message("m1", "")) },
		"a retry": func(b *bench, endpoint string) {
			b.enqueue(message("m1", ""))
			b.receiver.always(503)
			b.step(endpoint)
		},
		"a rest": func(b *bench, endpoint string) {
			b.receiver.always(503)
			for n := range 6 {
				b.enqueue(message(fmt.Sprint("m", n), ""))
			}
			for range 5 {
				b.step(endpoint)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			each(t, func(t *testing.T, d *db.DB) {
				b := setup(t, d)
				e, _ := b.endpoint("*")
				b.clock.advance(ahead)
				under(b, e.ID)
				b.clock.advance(-ahead)
				b.receiver.always(200)
				if due, err := b.Due(b.ctx, "", 10); len(due) != 1 || err != nil {
					t.Errorf("due are %v, %v", due, err)
				}
				if !b.step(e.ID) {
					t.Fatal("it waits for a clock that is two hours ahead")
				}
				if got := b.delivery(e.ID).State; got != webhook.Delivered {
					t.Errorf("it is %s", got)
				}
			})
		})
	}
	t.Run("a day that a receiver asked for", func(t *testing.T) {
		t.Parallel()
		each(t, func(t *testing.T, d *db.DB) {
			b := setup(t, d)
			e, _ := b.endpoint("*")
			b.enqueue(message("m1", ""))
			b.receiver.header = http.Header{"Retry-After": {"86400"}}
			b.receiver.always(503)
			b.step(e.ID)
			for range 23 {
				b.clock.advance(time.Hour)
				if b.step(e.ID) {
					t.Fatal("it is sent before its time")
				}
			}
			b.clock.advance(time.Hour)
			if !b.step(e.ID) {
				t.Error("it is not sent in its time")
			}
		})
	})
}
