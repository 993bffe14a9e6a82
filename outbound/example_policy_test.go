package outbound_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ashlar-go/ashlar/outbound"
)

func ExampleCall() {
	policy := outbound.NewPolicy(outbound.PolicyConfig{
		Name: "card_network", TryTimeout: time.Second,
		Retry: outbound.Retry{Wait: time.Millisecond},
	})
	tries := 0
	answer, err := outbound.Call(context.Background(), policy, func(context.Context) (string, error) {
		if tries++; tries < 3 {
			return "", errors.New("no line")
		}
		return "approved", nil
	})
	fmt.Println(answer, err, tries)
	// Output: approved <nil> 3
}
