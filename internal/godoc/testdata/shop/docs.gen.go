package shop

// Old would be collected if this file were read.
type Old struct {
	ID string `json:"id"`
}
