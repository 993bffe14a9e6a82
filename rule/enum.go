package rule

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/ashlar-go/ashlar/fault"
)

// enumCheck finds a value among the valid ones without reflection.
type enumCheck struct {
	texts map[string]string // each to itself
	ints  map[int64]bool
	uints map[uint64]bool
	bad   Violated
}

// settleEnum prepares the check of t.Enum. The other rules of t stay in force
// in that no listed value may break them; so the list alone settles a check.
func (t *Type) settleEnum() error {
	t.enum = enumCheck{}
	e := enumCheck{texts: map[string]string{}, ints: map[int64]bool{}, uints: map[uint64]bool{}}
	names := make([]string, len(t.Enum))
	var broken Violated
	for i, v := range t.Enum {
		switch rv := reflect.ValueOf(v); t.Kind {
		case String:
			s := rv.String()
			e.texts[s], names[i], broken = s, strconv.Quote(s), t.CheckText(s)
		case Int:
			n := rv.Int()
			e.ints[n], names[i], broken = true, strconv.FormatInt(n, 10), t.CheckInt(n)
		case Uint:
			n := rv.Uint()
			e.uints[n], names[i], broken = true, strconv.FormatUint(n, 10), t.CheckUint(n)
		default:
			return errors.New("only texts and whole numbers can be listed")
		}
		if broken != nil {
			return fmt.Errorf("OneOf lists %s, which breaks another rule: %s", names[i], broken.Detail)
		}
	}
	e.bad = &fault.Violation{Code: "not_one_of", Detail: "must be one of " + listed(names)}
	t.enum = e
	return nil
}

// mostListed is how many values a violation lists; all of them are in the API
// document.
const mostListed = 12

func listed(names []string) string {
	if len(names) <= mostListed {
		return strings.Join(names, ", ")
	}
	return strings.Join(names[:mostListed], ", ") + " and " + strconv.Itoa(len(names)-mostListed) + " others"
}

// Interned returns the declared value of an enum that equals s, so that a
// decoder need not keep the request's bytes alive.
func (t *Type) Interned(s string) (string, bool) {
	own, ok := t.enum.texts[s]
	return own, ok
}
