package event_test

import (
	"testing"

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/event"
)

// What any process has committed before is at the horizon or before it, though
// no pass has run for it.
func TestTheHorizonIsBeyondAllThatIsCommitted(t *testing.T) {
	t.Parallel()
	eachFile(t, func(t *testing.T, url string) {
		writer, reader := on(t, openURL(t, url), event.Config{}), on(t, openURL(t, url), event.Config{})
		if at, err := reader.Horizon(t.Context()); at != 0 || err != nil {
			t.Fatalf("an empty log has its horizon at %d, %v", at, err)
		}
		for n := range int64(5) {
			if _, err := db.InTx(t.Context(), writer.db, func(tx *db.Tx) (struct{}, error) {
				return struct{}{}, placed.Publish(t.Context(), tx, Order{ID: "ord_1"})
			}); err != nil {
				t.Fatal(err)
			}
			at, err := reader.Horizon(t.Context())
			page, readErr := reader.Read(t.Context(), event.Query{})
			if at != n+1 || err != nil || readErr != nil || len(page.Records) != int(n)+1 {
				t.Errorf("after %d events: %d, %v; %d can be read, %v", n+1, at, err, len(page.Records), readErr)
			}
		}
	})
}
