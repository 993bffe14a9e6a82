package main

import (
	"errors"
	"time"

	"github.com/ashlar-go/ashlar"
	"github.com/ashlar-go/ashlar/config"
)

// Config is everything that the process reads from its environment.
type Config struct {
	ashlar.Config
	CardKey     config.Secret `env:"CARD_FINGERPRINT_KEY" doc:"key of the fingerprints by which cards are recognised; required in production, never change it"`
	SettleAfter time.Duration `env:"PAYMENTS_SETTLE_AFTER" default:"30s" doc:"age at which a payment without an outcome is settled by a background task"`
}

// Validate finds what production must not do without.
func (c Config) Validate() error {
	var errs []error
	if c.Production() && len(c.CardKey.Reveal()) < 32 {
		errs = append(errs, errors.New("CARD_FINGERPRINT_KEY: production needs a secret of at least 32 characters; set it, or CARD_FINGERPRINT_KEY_FILE"))
	}
	if c.SettleAfter < time.Second {
		errs = append(errs, errors.New("PAYMENTS_SETTLE_AFTER: must be at least 1s"))
	}
	return errors.Join(errs...)
}

// cardKey is the fingerprint key. Development needs no secret: its cards are
// test cards.
func (c Config) cardKey() []byte {
	if c.CardKey.IsZero() {
		return []byte("the key of development")
	}
	return []byte(c.CardKey.Reveal())
}
