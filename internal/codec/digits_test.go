package codec_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/internal/codec"
	"github.com/ashlar-go/ashlar/rule"
)

// A card number that slipped into the place of a name is not echoed.
func TestNamesThatAreNumbersAreNotRepeated(t *testing.T) {
	t.Parallel()
	type in struct {
		Metadata map[string]string `json:"metadata,omitzero"`
		Card     struct {
			Last4 string `json:"last4,omitzero"`
		} `json:"card,omitzero"`
	}
	described, err := rule.Describe(reflect.TypeFor[in]())
	if err != nil {
		t.Fatal(err)
	}
	decoder, err := codec.CompileDecoder(described)
	if err != nil {
		t.Fatal(err)
	}
	for body, want := range map[string]string{
		`{"card":{"4242424242424242":1}}`:        "/card",
		`{"card":{"4242 4242 4242 4242":1}}`:     "/card",
		`{"metadata":{"4242-4242-4242-4242":1}}`: "/metadata",
		`{"4242424242424242":{}}`:                "",
		`{"card":{"last5":1}}`:                   "/card/last5",
		`{"metadata":{"order-123456":1}}`:        "/metadata/order-123456",
	} {
		var broken fault.Violations
		if err := decoder.Decode([]byte(body), new(in)); !errors.As(err, &broken) || len(broken) != 1 || broken[0].Pointer != want {
			t.Errorf("%s: got %v, want one violation at %q", body, err, want)
		}
		if strings.Contains(broken.Error(), "4242") {
			t.Errorf("%s: %v repeats it", body, broken)
		}
	}
}
