package rule_test

import (
	"fmt"
	"reflect"

	"github.com/ashlar-go/ashlar/rule"
)

// Currency has rules of its own, which hold wherever it is used.
type Currency string

func (c *Currency) Rules(r *rule.Set) { rule.OneOf(r, c, "EUR", "GBP", "USD") }

// Authorize asks for money to be reserved on a card.
type Authorize struct {
	Amount    int64    `json:"amount"`
	Currency  Currency `json:"currency"`
	Reference string   `json:"reference"`
}

func (in *Authorize) Rules(r *rule.Set) {
	rule.Number(r, &in.Amount).Between(1, 999_999_99)
	rule.Text(r, &in.Reference).Len(1, 64).Match(`^[A-Za-z0-9-]+$`)
}

func Example() {
	input, err := rule.Describe(reflect.TypeFor[Authorize]())
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, f := range input.Object.Fields {
		fmt.Println(f.Name, f.Type.Kind)
	}
	fmt.Println(input.Object.Field("amount").Type.CheckInt(0).Detail)
	fmt.Println(input.Object.Field("currency").Type.CheckText("XXX").Detail)
	fmt.Println(input.Object.Field("reference").Type.CheckText("no 1").Detail)
	// Output:
	// amount int
	// currency text
	// reference text
	// must be between 1 and 99999999
	// must be one of "EUR", "GBP", "USD"
	// must match ^[A-Za-z0-9-]+$
}

func ExampleOptional() {
	type Update struct {
		Note rule.Optional[string] `json:"note"`
	}
	note := "old"
	for _, in := range []Update{{}, {Note: rule.Some("new")}, {Note: rule.Null[string]()}} {
		in.Note.Apply(&note)
		fmt.Printf("%q\n", note)
	}
	// Output:
	// "old"
	// "new"
	// ""
}
