package fault_test

import (
	"errors"
	"fmt"
	"net/http/httptest"

	"github.com/ashlar-go/ashlar/fault"
)

const (
	ErrOrderNotFound fault.NotFound = "order_not_found"
	ErrOrderState    fault.Conflict = "order_wrong_state"
)

func Example() {
	ship := func(state string) error {
		switch state {
		case "":
			return ErrOrderNotFound
		case "paid":
			return nil
		}
		return ErrOrderState.Because("The order is %s.", state)
	}
	fmt.Println(ship("paid"))
	fmt.Println(errors.Is(ship(""), ErrOrderNotFound))
	fmt.Println(errors.Is(ship("open"), ErrOrderState), ship("open"))
	// Output:
	// <nil>
	// true
	// true order_wrong_state: The order is open.
}

func ExampleCode_Wrap() {
	cause := errors.New("dial tcp 10.0.0.7:5432: connection refused")
	err := fault.ErrUnavailable.Wrap(cause)

	body, _ := fault.ProblemOf(err, "4bf92f35").MarshalJSON()
	fmt.Println("log:   ", err)
	fmt.Println("caller:", string(body))
	// Output:
	// log:    unavailable: dial tcp 10.0.0.7:5432: connection refused
	// caller: {"type":"/problems/unavailable","title":"Unavailable","status":503,"code":"unavailable","trace_id":"4bf92f35"}
}

func ExampleViolations() {
	var v fault.Violations
	if from, to := 7, 3; to < from {
		v = v.And("/to", "before_from", "must not be before from")
	}
	fmt.Println(v.Err())
	// Output: invalid: /to before_from
}

func ExampleWrite() {
	w := httptest.NewRecorder()
	_ = fault.Write(w, fault.ProblemOf(ErrOrderState.Because("The order is open.").With("state", "open"), ""))
	fmt.Println(w.Code, w.Header().Get("Content-Type"))
	fmt.Println(w.Body)
	// Output:
	// 409 application/problem+json
	// {"type":"/problems/order-wrong-state","title":"Order wrong state","status":409,"code":"order_wrong_state","detail":"The order is open.","state":"open"}
}
