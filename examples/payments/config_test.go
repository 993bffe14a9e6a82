package main

import (
	"net/http"
	"strings"
	"testing"

	"github.com/ashlar-go/ashlar/auth"
	"github.com/ashlar-go/ashlar/config"
	"github.com/ashlar-go/ashlar/db"
)

func TestDevelopmentNeedsNoSettings(t *testing.T) {
	t.Parallel()
	cfg, err := config.Load[Config](config.Map(nil))
	if err != nil || len(cfg.cardKey()) == 0 {
		t.Errorf("got a key of %d bytes, %v", len(cfg.cardKey()), err)
	}
}

func TestProductionNamesEverySecretItLacks(t *testing.T) {
	t.Parallel()
	_, err := config.Load[Config](config.Map(map[string]string{
		"ASHLAR_ENV": "production", "CARD_FINGERPRINT_KEY": "too short", "PAYMENTS_SETTLE_AFTER": "1ms",
	}))
	if err == nil {
		t.Fatal("production started without its secrets")
	}
	for _, name := range []string{"ASHLAR_SIGNING_KEYS", "CARD_FINGERPRINT_KEY", "PAYMENTS_SETTLE_AFTER"} {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("%s is not among the mistakes: %v", name, err)
		}
	}
	if strings.Contains(err.Error(), "too short") {
		t.Errorf("the message shows a secret: %v", err)
	}
}

// TestFirstRun starts the program with nothing but a directory, twice.
func TestFirstRun(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for range 2 {
		p := start(t, dir)
		for name, merchant := range map[string]string{
			"admin": "", "merchant": demoShop, "rival": demoRival, "support": "", "auditor": "",
		} {
			var me struct {
				Role       string
				MerchantID string `json:"merchant_id"`
			}
			status := p.call(http.MethodGet, "/v1/auth/me", p.signIn(t, name), "", nil, &me)
			if role := strings.Replace(name, "rival", "merchant", 1); status != http.StatusOK || me.Role != role || me.MerchantID != merchant {
				t.Errorf("%s is %+v, %d", name, me, status)
			}
		}
		d := openBeside(t, dir)
		balanced(t, d)
		if n, err := db.One[int](t.Context(), d, `SELECT count(*) FROM payments`); n < 180 || n > 300 || err != nil {
			t.Errorf("%d payments of the demonstration, %v; it is written once", n, err)
		}
		p.kill()
	}
}

func TestProductionHasNoDemonstration(t *testing.T) {
	t.Parallel()
	key := auth.GenerateKey().Secret()
	p := start(t, t.TempDir(), "ASHLAR_ENV=production", "ASHLAR_SIGNING_KEYS="+key.Reveal(),
		"CARD_FINGERPRINT_KEY="+strings.Repeat("k", 32))
	status := p.call(http.MethodPost, "/v1/auth/login", "", "",
		map[string]string{"email": "admin@demo.test", "password": demoPassword}, nil)
	if status != http.StatusUnauthorized {
		t.Errorf("the demonstration's admin signs in with %d, want 401", status)
	}
	if status := p.call(http.MethodGet, "/docs", "", "", nil, nil); status != http.StatusNotFound {
		t.Errorf("/docs answers %d, want 404", status)
	}
}
