package work_test

import (
	"context"
	"fmt"

	"github.com/ashlar-go/ashlar/work"
)

func ExampleDo() {
	pool := work.New(work.Config{Slots: 2})
	sum, err := work.Do(context.Background(), pool, func() (int, error) {
		total := 0
		for i := range 1_000_000 {
			total += i
		}
		return total, nil
	})
	fmt.Println(sum, err)
	// Output: 499999500000 <nil>
}
