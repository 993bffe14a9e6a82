package id_test

import (
	"fmt"

	"github.com/ashlar-go/ashlar/id"
)

func Example() {
	first, second := id.New("pay_"), id.New("pay_")

	fmt.Println(len(first), first[:4], first < second)
	fmt.Println(id.Valid("pay_", first), id.Valid("usr_", first))
	// Output:
	// 30 pay_ true
	// <nil> malformed id
}

func ExampleTime() {
	at, err := id.Time("pay_01m823j0trephsyemv5h6nwvvg")
	fmt.Println(at.Format("2006-01-02 15:04"), err)
	// Output: 2026-11-22 17:06 <nil>
}

func ExampleSecret() {
	fmt.Println(len(id.Secret(32)), "characters for 256 bits")
	// Output: 52 characters for 256 bits
}
