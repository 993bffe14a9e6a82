package payment

import (
	"io/fs"
	"testing"
	"testing/fstest"

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/db/sqlite"
	"github.com/ashlar-go/ashlar/event"
)

// TestOldEventsMoveToTheLog: those of before there was one keep their ids, their
// order and what they say.
func TestOldEventsMoveToTheLog(t *testing.T) {
	t.Parallel()
	d, err := sqlite.Open(t.Context(), sqlite.Config{Path: ":memory:"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	first, err := fs.ReadFile(migrations, "migrations/001_payments.sql")
	if err != nil {
		t.Fatal(err)
	}
	up := func(files fs.FS) {
		t.Helper()
		if _, err := db.Up(t.Context(), d, db.Migrations{Name: "ashlar_events", FS: event.Migrations()}, db.Migrations{Name: "payments", FS: files}); err != nil {
			t.Fatal(err)
		}
	}
	up(fstest.MapFS{"001_payments.sql": {Data: first}})
	for _, id := range []string{"evt_01m823j0trephsyemv5h6nwvv2", "evt_01m823j0trephsyemv5h6nwvv1"} {
		_, err := db.Exec(t.Context(), d, `INSERT INTO payment_events VALUES ($1, 'payment.captured', 'mer_1', 'pay_1', '{"id":"pay_1","amount":7}', '2026-11-22T17:06:01.123456Z')`, id)
		if err != nil {
			t.Fatal(err)
		}
	}
	up(migrations)

	log, err := event.Open(event.Config{DB: d})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(log.Close)
	page, err := log.Read(t.Context(), event.Query{Filter: event.Filter{Scope: "mer_1"}})
	if err != nil || len(page.Records) != 2 {
		t.Fatalf("%+v, %v", page, err)
	}
	for i, id := range []string{"evt_01m823j0trephsyemv5h6nwvv1", "evt_01m823j0trephsyemv5h6nwvv2"} {
		e, err := EventOf(&page.Records[i])
		if err != nil || e.ID != id || e.Type != EventType(WasCaptured) || e.MerchantID != "mer_1" || e.PaymentID != "pay_1" || e.Data.Amount != 7 ||
			e.CreatedAt.Format("2006-01-02T15:04:05.000Z") != "2026-11-22T17:06:01.123Z" {
			t.Errorf("%+v, %v", e, err)
		}
	}
}
