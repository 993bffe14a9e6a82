package ashlar_test

import (
	"time"

	"github.com/ashlar-go/ashlar/rule"
)

type sale struct {
	ID        string    `json:"id"`
	Amount    int64     `json:"amount"`
	Currency  string    `json:"currency"`
	State     string    `json:"state"`
	CreatedAt time.Time `json:"created_at"`
	Reference string    `json:"reference"`
}

type listSales struct {
	Limit int `json:"limit"`
}

func (in *listSales) Rules(r *rule.Set) { rule.Number(r, &in.Limit).Between(1, 100) }

type sales struct {
	Data []sale `json:"data"`
}
