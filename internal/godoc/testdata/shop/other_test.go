package shop

// InTest would be collected if tests were read.
type InTest struct {
	ID string `json:"id"`
}
