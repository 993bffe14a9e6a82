// Package refunds has a type whose name another package has too.
package refunds

// Refund is what the document's component names are tested with.
type Refund struct {
	ID     string `json:"id"`
	Amount int    `json:"amount"`
}
