package codec_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/internal/codec"
	"github.com/ashlar-go/ashlar/rule"
)

// The payment of the flagship example: the shape that the package is measured
// with.
type (
	currency string

	authorize struct {
		Amount      int64             `json:"amount"`
		Currency    currency          `json:"currency"`
		Card        card              `json:"card"`
		Reference   string            `json:"reference"`
		Description string            `json:"description,omitzero"`
		Metadata    map[string]string `json:"metadata,omitzero"`
		Capture     bool              `json:"capture,omitzero"`
		MerchantID  string            `json:"merchant_id,omitzero"`
	}

	card struct {
		Number   string `json:"number"`
		ExpMonth int    `json:"exp_month"`
		ExpYear  int    `json:"exp_year"`
		CVC      string `json:"cvc"`
	}

	payment struct {
		ID             string            `json:"id"`
		MerchantID     string            `json:"merchant_id"`
		Status         string            `json:"status"`
		Amount         int64             `json:"amount"`
		CapturedAmount int64             `json:"captured_amount"`
		RefundedAmount int64             `json:"refunded_amount"`
		Currency       currency          `json:"currency"`
		Card           cardShown         `json:"card"`
		Reference      string            `json:"reference"`
		Description    string            `json:"description"`
		Metadata       map[string]string `json:"metadata"`
		DeclineCode    string            `json:"decline_code,omitzero"`
		CreatedAt      time.Time         `json:"created_at"`
		UpdatedAt      time.Time         `json:"updated_at"`
		Version        int64             `json:"version"`
	}

	cardShown struct {
		Brand    string `json:"brand"`
		Last4    string `json:"last4"`
		ExpMonth int    `json:"exp_month"`
		ExpYear  int    `json:"exp_year"`
	}
)

func (in *authorize) Rules(r *rule.Set) {
	rule.Number(r, &in.Amount).Between(1, 99_999_999_999)
	rule.OneOf(r, &in.Currency, "EUR", "GBP", "USD")
	rule.Text(r, &in.Reference).Len(1, 64).Match(`^[A-Za-z0-9-]+$`)
	rule.Text(r, &in.Description).Len(0, 500)
	rule.Entries(r, &in.Metadata).Len(0, 20)
}

func (c *card) Rules(r *rule.Set) {
	rule.Text(r, &c.Number).Len(12, 19).Match(`^[0-9]+$`).Secret()
	rule.Number(r, &c.ExpMonth).Between(1, 12)
	rule.Number(r, &c.ExpYear).Between(2000, 2100)
	rule.Text(r, &c.CVC).Len(3, 4).Match(`^[0-9]+$`).Secret()
}

const authorizeBody = `{"amount":125099,"currency":"EUR","card":{"number":"4242424242424242","exp_month":12,"exp_year":2030,"cvc":"123"},` +
	`"reference":"order-2026-000123456","description":"Two boxes of limestone setts, sawn on six sides, delivered to the yard behind the old mill before noon; ring twice and ask for Ada.",` +
	`"metadata":{"basket":"b_01JD8Z3K5Q","channel":"web","campaign":"autumn-2026","customer":"c_01JD8Z3K5QW8","warehouse":"north-2"},` +
	`"capture":true,"merchant_id":"mer_01JD8Z3K5QW8A7T2V9XN4M6P0R"}`

func somePayment() *payment {
	at := time.Date(2026, 11, 22, 17, 30, 5, 123e6, time.UTC)
	return &payment{
		ID: "pay_01JD8Z3K5QW8A7T2V9XN4M6P0R", MerchantID: "mer_01JD8Z3K5QW8A7T2V9XN4M6P0R", Status: "captured",
		Amount: 125099, CapturedAmount: 125099, Currency: "EUR",
		Card:      cardShown{"visa", "4242", 12, 2030},
		Reference: "order-2026-000123456", Description: "Two boxes of limestone setts, sawn on six sides, delivered to the yard behind the old mill before noon; ring twice and ask for Ada.",
		Metadata:  map[string]string{"basket": "b_01JD8Z3K5Q", "channel": "web", "campaign": "autumn-2026"},
		CreatedAt: at, UpdatedAt: at, Version: 2,
	}
}

func describe[T any](t testing.TB) *rule.Type {
	t.Helper()
	described, err := rule.Describe(reflect.TypeFor[T]())
	if err != nil {
		t.Fatal(err)
	}
	return described
}

func decoderOf[T any](t testing.TB) *codec.Decoder {
	t.Helper()
	return compileDecoder(t, describe[T](t))
}

func compileDecoder(t testing.TB, described *rule.Type) *codec.Decoder {
	t.Helper()
	d, err := codec.CompileDecoder(described)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func encoderOf[T any](t testing.TB) *codec.Encoder {
	t.Helper()
	e, err := codec.CompileEncoder(describe[T](t))
	if err != nil {
		t.Fatal(err)
	}
	return e
}
