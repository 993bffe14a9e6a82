package ashlar_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/ashlartest"
	"github.com/ashlar-go/ashlar/auth"
	"github.com/ashlar-go/ashlar/db"
)

func TestTheAuditLogSaysWhoAndFromWhere(t *testing.T) {
	t.Parallel()
	app := ashlartest.Open(t)
	app.Migrate()
	ctx := access.WithOrigin(t.Context(), access.Origin{Address: "192.0.2.7", Agent: strings.Repeat("é", 200)})
	ctx = access.With(ctx, access.Principal{ID: "usr_1", Credential: "ses_1"})

	event := auth.NewEvent(ctx, "limits_raised", auth.Succeeded)
	if err := app.Record(ctx, event, auth.NewEvent(ctx, "limits_raised", auth.Refused)); err != nil {
		t.Fatal(err)
	}
	kept, err := db.All[auth.SecurityEvent](ctx, app.DB, `SELECT * FROM ashlar_security_events ORDER BY id`)
	if err != nil {
		t.Fatal(err)
	}
	if len(kept) != 2 || kept[0] != event {
		t.Fatalf("kept %+v\nwant %+v and another", kept, event)
	}
	want := auth.SecurityEvent{
		ID: event.ID, At: event.At, Kind: "limits_raised", Outcome: auth.Succeeded,
		Actor: "usr_1", Credential: "ses_1", Address: "192.0.2.7", Agent: strings.Repeat("é", 128),
	}
	if event != want {
		t.Errorf("got %+v\nwant %+v", event, want)
	}
	if time.Since(event.At) > time.Hour {
		t.Errorf("the event is of %s", event.At)
	}
}

// TestTheAuditLogForgets: an event is gone when it was kept for long enough,
// and a younger one stays.
func TestTheAuditLogForgets(t *testing.T) {
	t.Parallel()
	app := ashlartest.Open(t, "ASHLAR_ADDR", "127.0.0.1:0", "ASHLAR_ADMIN_ADDR", "127.0.0.1:0", "ASHLAR_AUDIT_KEEP", "24h")
	app.Migrate()
	old, young := auth.NewEvent(t.Context(), "old", auth.Succeeded), auth.NewEvent(t.Context(), "young", auth.Succeeded)
	old.At, young.At = old.At.Add(-25*time.Hour), young.At.Add(-23*time.Hour)
	if err := app.Record(t.Context(), old, young); err != nil {
		t.Fatal(err)
	}

	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- app.Run(ctx) }()
	deadline := time.Now().Add(lost)
	for {
		kinds, err := db.All[string](t.Context(), app.DB, `SELECT kind FROM ashlar_security_events ORDER BY id`)
		if err != nil {
			t.Fatal(err)
		}
		if len(kinds) == 1 && kinds[0] == "young" {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("kept %v, want the young one alone", kinds)
		}
		time.Sleep(5 * time.Millisecond)
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
