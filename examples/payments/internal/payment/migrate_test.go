package payment

import (
	"context"
	"io/fs"
	"slices"
	"sync"
	"testing"

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/event"
)

// The events of before there was a log, in another order than that of their ids.
var old = []string{"evt_01m823j0trephsyemv5h6nwvv2", "evt_01m823j0trephsyemv5h6nwvv1"} //nolint:gochecknoglobals // a constant

// TestOldEventsMoveToTheLog: those of before there was one keep their ids, their
// order and what they say, also if the move is taken back and made again.
func TestOldEventsMoveToTheLog(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, d *db.DB) {
		down(t, d, "003_lists.sql", "002_events."+string(d.Dialect())+".sql")
		for _, id := range old {
			_, err := db.Exec(t.Context(), d, `INSERT INTO payment_events VALUES ($1, 'payment.captured', 'mer_1', 'pay_1', '{"id":"pay_1","amount":7}', '2026-11-22T17:06:01.123456Z')`, id)
			if err != nil {
				t.Fatal(err)
			}
		}
		up(t, d)
		down(t, d, "003_lists.sql", "002_events."+string(d.Dialect())+".sql") // before anybody gave them positions
		n, err := db.One[int](t.Context(), d, `SELECT count(*) FROM payment_events WHERE merchant_id = 'mer_1' AND payment_id = 'pay_1' AND type = 'payment.captured'`)
		if n != len(old) || err != nil {
			t.Errorf("%d events are back, %v", n, err)
		}
		up(t, d)

		log, err := event.Open(event.Config{DB: d})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(log.Close)
		ctx, stop := context.WithCancel(context.Background())
		var running sync.WaitGroup
		running.Go(func() { _ = log.Run(ctx) }) // gives them positions
		t.Cleanup(func() { stop(); running.Wait() })
		s, err := log.Subscribe(ctx, event.Filter{Scope: "mer_1"}, event.Oldest())
		if err != nil {
			t.Fatal(err)
		}
		for seen := 0; seen < len(old); {
			records, err := s.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			seen += len(records)
		}
		s.Close()
		page, err := log.Read(t.Context(), event.Query{Filter: event.Filter{Scope: "mer_1"}})
		if err != nil || len(page.Records) != len(old) {
			t.Fatalf("%+v, %v", page, err)
		}
		for i, id := range slices.Sorted(slices.Values(old)) {
			e, err := EventOf(&page.Records[i])
			if err != nil || e.ID != id || e.Type != EventType(WasCaptured) || e.MerchantID != "mer_1" || e.PaymentID != "pay_1" || e.Data.Amount != 7 ||
				e.CreatedAt.Format("2006-01-02T15:04:05.000Z") != "2026-11-22T17:06:01.123Z" {
				t.Errorf("%+v, %v", e, err)
			}
		}
		down(t, d, "003_lists.sql", "002_events."+string(d.Dialect())+".sql")
		up(t, d)
		if again, err := log.Read(t.Context(), event.Query{}); err != nil || len(again.Records) != len(old) {
			t.Errorf("after the way down and up the log has %+v, %v", again, err)
		}
	})
}

// TestMigrationsGoAllTheWay down to nothing and up again.
func TestMigrationsGoAllTheWay(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, d *db.DB) {
		files, err := fs.Glob(migrations, "migrations/*.sql")
		if err != nil {
			t.Fatal(err)
		}
		count := len(files) - 1 // one of them is for the other database
		undone, err := db.Down(t.Context(), d, count+1, histories()[1])
		if err != nil || len(undone) != count {
			t.Fatalf("%+v, %v", undone, err)
		}
		up(t, d)
		if list, err := New(Config{DB: d}).List(within(t, "mer_1"), List{Status: Captured}); err != nil || len(list.Data) != 0 {
			t.Errorf("%+v, %v", list, err)
		}
	})
}

func up(t *testing.T, d *db.DB) {
	t.Helper()
	if _, err := db.Up(t.Context(), d, histories()...); err != nil {
		t.Fatal(err)
	}
}

// down takes back the migrations of these files, which are the newest.
func down(t *testing.T, d *db.DB, files ...string) {
	t.Helper()
	undone, err := db.Down(t.Context(), d, len(files), histories()[1])
	if err != nil {
		t.Fatal(err)
	}
	for i, file := range files {
		if i >= len(undone) || undone[i].File != file {
			t.Fatalf("took back %+v, want %v", undone, files)
		}
	}
}
