package codec

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"unsafe"

	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/rule"
)

// validate runs the Validate methods of the value at p and of all it holds,
// inner ones first.
func (r *Reading) validate(n *node, p unsafe.Pointer) {
	switch n.shape {
	case record:
		before := len(r.bad)
		for i := range n.rec.fields {
			if f := &n.rec.fields[i]; f.node.validates {
				met := len(r.bad)
				r.validate(f.node, unsafe.Add(p, f.offset))
				r.under(met, f.name)
			}
		}
		if n.rec.validates && len(r.bad) == before {
			r.judge(n.addr(p).(rule.Validator).Validate())
		}
	case list:
		header := (*sliceHeader)(p)
		size := n.elem.typ.Size()
		for i := range header.len {
			met := len(r.bad)
			r.validate(n.elem, unsafe.Add(header.data, uintptr(i)*size))
			r.underItem(met, i)
		}
	case mapping:
		m := reflect.NewAt(n.typ, p).Elem()
		keys := m.MapKeys()
		slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
		for _, key := range keys {
			entry := reflect.New(n.typ.Elem())
			entry.Elem().Set(m.MapIndex(key))
			met := len(r.bad)
			r.validate(n.elem, entry.UnsafePointer())
			r.under(met, key.String())
		}
	case pointer:
		if to := *(*unsafe.Pointer)(p); to != nil {
			r.validate(n.elem, to)
		}
	case optional:
		if *(*bool)(unsafe.Add(p, n.set)) && !*(*bool)(unsafe.Add(p, n.null)) {
			r.validate(n.elem, p)
		}
	default:
	}
}

// judge notes what a Validate method returned. An error that is no violations
// is one of the whole value, and its text is for the caller.
func (r *Reading) judge(err error) {
	if err == nil {
		return
	}
	var bad fault.Violations
	var one *fault.Error
	switch {
	case errors.As(err, &bad):
	case errors.As(err, &one): // its text is for the log
		bad = fault.At("", one.Code(), one.Detail())
	default:
		bad = fault.At("", "invalid", err.Error())
	}
	for i := range bad {
		r.violate(&bad[i])
	}
}
