package access_test

import (
	"context"
	"fmt"
	"log"

	"github.com/ashlar-go/ashlar/access"
)

const (
	ReadOrders  access.Permission = "orders:read"
	WriteOrders access.Permission = "orders:write"
)

func Example() {
	var policy access.Policy
	if err := policy.Grant("clerk", ReadOrders, WriteOrders); err != nil {
		log.Fatal(err)
	}
	policy.GrantAll("owner")

	ctx := access.With(context.Background(), policy.Principal("usr_1", "acc_1", "clerk"))

	me := access.From(ctx)
	fmt.Println(me.ID, me.Account, me.Can(WriteOrders), me.Permissions())
	fmt.Println(policy.Principal("usr_2", "acc_1", "visitor").Permissions())
	// Output:
	// usr_1 acc_1 true [orders:read orders:write]
	// []
}

// An API key never may more than whoever made it.
func ExamplePolicy_Scoped() {
	var policy access.Policy
	if err := policy.Grant("clerk", ReadOrders); err != nil {
		log.Fatal(err)
	}
	if _, err := policy.Register(WriteOrders); err != nil {
		log.Fatal(err)
	}
	clerk := policy.Principal("usr_1", "acc_1", "clerk")
	key := policy.Scoped(clerk, ReadOrders, WriteOrders)
	fmt.Println(key.Permissions())
	// Output: [orders:read]
}
