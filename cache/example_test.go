package cache_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/ashlar-go/ashlar/cache"
	"github.com/ashlar-go/ashlar/fault"
)

func Example() {
	ctx := context.Background()
	stock := map[string]int{"screws": 120}

	c, err := cache.New(cache.Config{MaxBytes: 8 << 20})
	if err != nil {
		log.Fatal(err)
	}
	counts, err := cache.Of(c, cache.Rules[int]{Name: "stock", TTL: time.Minute})
	if err != nil {
		log.Fatal(err)
	}
	count := func(item string) int {
		n, err := counts.Get(ctx, item, func(ctx context.Context) (int, error) {
			fmt.Println("counting", item)
			cache.Tag(ctx, "stock/"+item)
			return stock[item], nil
		})
		if err != nil {
			log.Fatal(err)
		}
		return n
	}

	fmt.Println(count("screws"), count("screws"))
	stock["screws"] -= 20
	if err := c.Invalidate(ctx, nil, "stock/screws"); err != nil { // in a transaction: pass that
		log.Fatal(err)
	}
	fmt.Println(count("screws"))
	// Output:
	// counting screws
	// 120 120
	// counting screws
	// 100
}

// A value that may be a little old is served at once; one that could not be
// loaded anew for an hour is better than none; and that there is no such item
// is worth a second.
func ExampleRules() {
	const errNoItem fault.NotFound = "item_not_found"
	c, err := cache.New(cache.Config{})
	if err != nil {
		log.Fatal(err)
	}
	prices, err := cache.Of(c, cache.Rules[int]{
		Name: "prices", TTL: time.Minute, Renew: 30 * time.Second, OnError: time.Hour, Missing: time.Second,
	})
	if err != nil {
		log.Fatal(err)
	}
	for range 2 {
		_, err := prices.Get(context.Background(), "nails", func(context.Context) (int, error) {
			fmt.Println("looking")
			return 0, errNoItem
		})
		fmt.Println(errors.Is(err, errNoItem))
	}
	// Output:
	// looking
	// true
	// true
}
