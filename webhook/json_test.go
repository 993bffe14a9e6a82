package webhook_test

import (
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/webhook"
)

func TestJSON(t *testing.T) {
	t.Parallel()
	type payload struct {
		ID   string    `json:"id"`
		At   time.Time `json:"at"`
		Note *string   `json:"note,omitzero"`
		HTML string    `json:"html"`
		List []int     `json:"list"`
	}
	at := time.Date(2026, 11, 28, 13, 0, 0, 100_000_000, time.FixedZone("CET", 3600))
	got, err := webhook.JSON(payload{ID: "evt_1", At: at, HTML: "<a>"})
	if want := `{"id":"evt_1","at":"2026-11-28T12:00:00.100Z","html":"<a>","list":[]}`; err != nil || string(got) != want {
		t.Errorf("%s, %v, want %s", got, err, want)
	}
	if _, err := webhook.JSON(func() {}); err == nil {
		t.Error("a function was written")
	}
}
