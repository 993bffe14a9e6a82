package rule_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/ashlar-go/ashlar/rule"
)

type shown struct {
	Number string `json:"number"`
	Amount int64  `json:"amount"`
}

func (s *shown) Rules(r *rule.Set) {
	rule.Text(r, &s.Number).Match(`^[0-9]{16}$`).Example("4242424242424242")
	rule.Number(r, &s.Amount).Between(1, 100).Example(50)
}

type misshown struct {
	Amount int64 `json:"amount"`
}

func (m *misshown) Rules(r *rule.Set) { rule.Number(r, &m.Amount).Example(500).Between(1, 100) }

func TestExample(t *testing.T) {
	t.Parallel()
	of, err := rule.Describe(reflect.TypeFor[shown]())
	if err != nil {
		t.Fatal(err)
	}
	if got := of.Object.Field("number").Type.Example; got != "4242424242424242" {
		t.Errorf("got %v", got)
	}
	if got := of.Object.Field("amount").Type.Example; got != int64(50) {
		t.Errorf("got %v", got)
	}
	if _, err := rule.Describe(reflect.TypeFor[misshown]()); err == nil || !strings.Contains(err.Error(), "example breaks the rules") {
		t.Errorf("got %v", err)
	}
}

type choice string

func (c *choice) Rules(r *rule.Set) {
	rule.OneOf(r, c, "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n")
}

func TestALongChoiceIsNotListedInFull(t *testing.T) {
	t.Parallel()
	of, err := rule.Describe(reflect.TypeFor[choice]())
	if err != nil {
		t.Fatal(err)
	}
	if got := of.CheckText("z").Detail; !strings.HasSuffix(got, `"l" and 2 others`) {
		t.Errorf("got %s", got)
	}
}
