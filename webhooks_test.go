package ashlar_test

import (
	"context"
	"strings"
	"testing"

	"github.com/ashlar-go/ashlar"
	"github.com/ashlar-go/ashlar/ashlartest"
	"github.com/ashlar-go/ashlar/auth"
	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/outbound/outboundtest"
	"github.com/ashlar-go/ashlar/webhook"
)

// TestAnAppSendsWebhooks: with its own database, keys and client, as a task
// that drains.
func TestAnAppSendsWebhooks(t *testing.T) {
	t.Parallel()
	app := ashlartest.Open(t, "ASHLAR_ADDR", "127.0.0.1:0", "ASHLAR_ADMIN_ADDR", "127.0.0.1:0")
	hooks := app.Webhooks(webhook.Config{})
	furnish(t, app)
	shop := app.Upstream("https://shop.example", outboundtest.Status(204))
	e, secret, err := hooks.Create(t.Context(), "shop-1", webhook.NewEndpoint{URL: shop.URL, Types: []string{"*"}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- app.Run(ctx) }()
	if _, err := db.InTx(t.Context(), app.DB, func(tx *db.Tx) (int, error) {
		return 0, hooks.Enqueue(t.Context(), tx, webhook.Message{ID: "m1", Type: "greeting.made", Account: "shop-1", Payload: []byte(`{}`)})
	}); err != nil {
		t.Fatal(err)
	}
	awaits(t, app, `ashlar_webhook_attempts_total{outcome="success"}`, func(v float64) bool { return v == 1 })
	got := shop.Calls()[0]
	if err := webhook.Verify(got.Header, []byte(got.Body), secret); err != nil {
		t.Error(err)
	}
	list, err := hooks.Deliveries(t.Context(), "shop-1", e.ID, "", 1)
	if err != nil || list[0].State != webhook.Delivered {
		t.Errorf("%+v, %v", list, err)
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestWebhooksLeadOutside unless somebody says otherwise, and never to the
// metadata of a cloud.
func TestWebhooksLeadOutside(t *testing.T) {
	t.Parallel()
	for setting, want := range map[string]map[string]bool{
		"refuse": {"https://127.0.0.1/": false, "http://93.184.215.14/": false, "https://93.184.215.14/": true, "https://10.0.0.1/": false, "https://169.254.169.254/": false},
		"allow":  {"http://127.0.0.1:8080/": true, "http://93.184.215.14/": true, "http://10.0.0.1/": true, "http://169.254.169.254/": false, "http://[::1]:80/": true},
	} {
		app := ashlartest.Open(t, "ASHLAR_WEBHOOK_PRIVATE_TARGETS", setting)
		hooks := app.Webhooks(webhook.Config{MaxEndpoints: 100})
		app.Migrate()
		for target, may := range want {
			_, _, err := hooks.Create(t.Context(), "shop-1", webhook.NewEndpoint{URL: target, Types: []string{"*"}})
			if (err == nil) != may {
				t.Errorf("%s, when told to %s: %v", target, setting, err)
			}
		}
	}
}

// TestALooseSettingIsSaid in the log of production.
func TestALooseSettingIsSaid(t *testing.T) {
	t.Parallel()
	app := ashlartest.Open(t, "ASHLAR_WEBHOOK_PRIVATE_TARGETS", "allow", "ASHLAR_ENV", "production", "ASHLAR_ADDR", "127.0.0.1:0",
		"ASHLAR_ADMIN_ADDR", "127.0.0.1:0", "ASHLAR_SIGNING_KEYS", auth.GenerateKey().Secret().Reveal(), "ASHLAR_DRAIN_DELAY", "1ms")
	app.Webhooks(webhook.Config{})
	furnish(t, app)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- app.Run(ctx) }()
	awaits(t, app, `ashlar_webhook_pending`, func(float64) bool { return strings.Contains(app.Log(), "serving") })
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if !strings.Contains(app.Log(), "ASHLAR_WEBHOOK_PRIVATE_TARGETS") {
		t.Errorf("it is not said: %s", app.Log())
	}
}

func TestWebhooksAreSetUpOnce(t *testing.T) {
	t.Parallel()
	app := ashlartest.Open(t)
	first := app.Webhooks(webhook.Config{})
	if again := app.Webhooks(webhook.Config{}); again != first {
		t.Error("there are two")
	}
	bad := ashlartest.Open(t)
	bad.Webhooks(webhook.Config{Keys: [][]byte{{1}}})
	for text, a := range map[string]*ashlar.App{"Webhooks is called twice": app.App, "and not 32": bad.App} {
		if _, err := a.Handler(); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%v, want %s", err, text)
		}
	}
}
