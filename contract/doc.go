// Package contract compares what an API says of itself with what it has said
// before, and names each change that breaks those who call it.
//
// The baseline is an OpenAPI document in the repository, as package openapi
// writes it. A change is judged by the direction in which a value travels: a
// field that a request must have from now on breaks whoever does not send it,
// and the same field in an answer breaks nobody. Each finding says in words
// which operation it is, where, what changed and what a consumer will see:
//
//	report, err := contract.Check(baseline, current, acknowledged, time.Now())
//	if err != nil {
//		return err
//	}
//	fmt.Print(report)
//	// payments.get: the answer 200 has no field /amount any more
//	//	consumers that read it find nothing
//	//	acknowledge as: payments.get field-removed 200/amount
//	if len(report.Broken()) > 0 {
//		os.Exit(1)
//	}
//
// A breaking change that is meant is acknowledged, with a reason and a date,
// in a file beside the baseline. An operation whose announced Sunset has passed
// may go without. Sub-package pact has the other half: what single consumers
// expect.
package contract
