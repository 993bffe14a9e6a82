package codec

import (
	"encoding/base64"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/rule"
)

// textual reads the text at the cursor into a text, octets or instant.
func (r *Reading) textual(n *node, p unsafe.Pointer) bool {
	s, plain, fresh, ok := r.text()
	if ok {
		r.keep(n, p, s, plain, fresh || !r.copies)
	}
	return ok
}

// keep stores s, which is valid UTF-8, if it breaks no rule of the node.
func (r *Reading) keep(n *node, p unsafe.Pointer, s string, plain, mine bool) {
	switch n.shape {
	case octets:
		r.keepOctets(n, p, s)
	case instant:
		if t, ok := parseTime(s); ok {
			*(*time.Time)(p) = t
		} else {
			r.violate(notTime)
		}
	default:
		r.keepText(n, p, s, plain, mine)
	}
}

// parseTime asks the rule too, because the library alone would take some that
// are not quite RFC 3339. An offset can lead out of the years that RFC 3339
// has: such a time could neither be written again nor kept in a column.
func parseTime(s string) (time.Time, bool) {
	var t time.Time
	ok := rule.DateTime.Valid(s) && t.UnmarshalText(unsafe.Slice(unsafe.StringData(s), len(s))) == nil
	t = t.UTC()
	return t, ok && t.Year() >= 0 && t.Year() <= 9999
}

func (r *Reading) keepText(n *node, p unsafe.Pointer, s string, plain, mine bool) {
	for _, own := range n.enum {
		if own == s {
			*(*string)(p) = own
			return
		}
	}
	limits := &n.of.Text
	if !plain || !n.free || len(s) < limits.Min || len(s) > limits.Max {
		if v := n.of.CheckText(s); v != nil {
			r.violate(v)
			return
		}
	}
	if len(n.of.Enum) > 0 {
		s, _ = n.of.Interned(s)
	} else if !mine {
		s = strings.Clone(s)
	}
	*(*string)(p) = s
}

var strictBase64 = base64.StdEncoding.Strict()

func (r *Reading) keepOctets(n *node, p unsafe.Pointer, s string) {
	out, err := strictBase64.DecodeString(s)
	if err != nil || strings.ContainsAny(s, "\r\n") { // which the library skips
		r.violate(notBase64)
		return
	}
	if r.checkSize(n.of, len(out)); out == nil {
		out = []byte{}
	}
	*(*[]byte)(p) = out
}

// whole reads the number at the cursor into an integer or natural.
func (r *Reading) whole(n *node, p unsafe.Pointer) bool {
	num, ok := r.wholeNumber()
	if !ok {
		return false
	}
	switch {
	case !num.whole:
		r.violate(typeMismatch[n.shape])
	case n.shape == integer:
		r.keepInteger(n, p, num)
	default:
		r.keepNatural(n, p, num)
	}
	return true
}

func (r *Reading) keepInteger(n *node, p unsafe.Pointer, num wholeNumber) {
	least, most := limits(n.bits)
	v := int64(num.magnitude)
	if num.negative {
		v = -v
	}
	if !num.fits || num.magnitude > uint64(most)+1 || num.magnitude == uint64(most)+1 && !num.negative {
		// A rule, if there is one, says best what fits.
		bound := most
		if num.negative {
			bound = least
		}
		bad := n.of.CheckInt(bound)
		if bad == nil {
			bad = &fault.Violation{Code: "out_of_range", Detail: "must be between " + strconv.FormatInt(least, 10) + " and " + strconv.FormatInt(most, 10)}
		}
		r.violate(bad)
		return
	}
	if bad := n.of.CheckInt(v); bad != nil {
		r.violate(bad)
		return
	}
	putWhole(p, n.bits, uint64(v))
}

func (r *Reading) keepNatural(n *node, p unsafe.Pointer, num wholeNumber) {
	most := uint64(math.MaxUint64) >> (64 - n.bits)
	v := num.magnitude
	if !num.fits || v > most || num.negative && v > 0 { // -0 is 0
		bound := most
		if num.negative {
			bound = 0
		}
		bad := n.of.CheckUint(bound)
		if bad == nil {
			bad = &fault.Violation{Code: "out_of_range", Detail: "must be between 0 and " + strconv.FormatUint(most, 10)}
		}
		r.violate(bad)
		return
	}
	if bad := n.of.CheckUint(v); bad != nil {
		r.violate(bad)
		return
	}
	putWhole(p, n.bits, v)
}

// putWhole stores the low bits of v: an int of a width lies in memory as the
// uint of that width does.
func putWhole(p unsafe.Pointer, bits int, v uint64) {
	switch bits {
	case 8:
		*(*uint8)(p) = uint8(v)
	case 16:
		*(*uint16)(p) = uint16(v)
	case 32:
		*(*uint32)(p) = uint32(v)
	default:
		*(*uint64)(p) = v
	}
}

// float reads the number at the cursor into a float.
func (r *Reading) float(n *node, p unsafe.Pointer) bool {
	start := r.i
	if _, ok := r.number(); !ok {
		return false
	}
	v, err := strconv.ParseFloat(unsafe.String(&r.b[start], r.i-start), n.bits)
	if err != nil {
		r.violate(notFloat)
		return true
	}
	if bad := n.of.CheckFloat(v); bad != nil {
		r.violate(bad)
		return true
	}
	if n.bits == 32 {
		*(*float32)(p) = float32(v)
	} else {
		*(*float64)(p) = v
	}
	return true
}

// addr returns what p points to as a Go value: a pointer to the node's type.
func (n *node) addr(p unsafe.Pointer) any { return reflect.NewAt(n.typ, p).Interface() }
