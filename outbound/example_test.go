package outbound_test

import (
	"errors"
	"fmt"

	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/outbound"
)

func Example() {
	client := outbound.New(outbound.Config{})

	// The address came from a customer, who would like to see a cloud's keys.
	res, err := client.HTTP().Get("http://169.254.169.254/latest/meta-data/")
	if err == nil {
		_ = res.Body.Close()
	}
	refusal, _ := errors.AsType[*outbound.Refusal](err)
	problem := fault.ProblemOf(err, "")
	fmt.Println("log:   ", refusal)
	fmt.Println("caller:", problem.Status, problem.Title())
	// Output:
	// log:    refused to call 169.254.169.254:80: link-local, where clouds keep their metadata
	// caller: 502 Upstream refused
}
