package codec_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"unsafe"

	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/rule"
)

// wideStruct makes a struct type of that many required members.
func wideStruct(members int) reflect.Type {
	fields := make([]reflect.StructField, members)
	for i := range fields {
		fields[i] = reflect.StructField{
			Name: fmt.Sprintf("F%d", i), Type: reflect.TypeFor[int](),
			Tag: reflect.StructTag(fmt.Sprintf(`json:"member_%d"`, i)),
		}
	}
	return reflect.StructOf(fields)
}

func TestObjectsOfManyMembers(t *testing.T) {
	t.Parallel()

	for _, members := range []int{1, 63, 64, 65, 128, 129, 400} {
		typ := wideStruct(members)
		described, err := rule.Describe(typ)
		if err != nil {
			t.Fatal(err)
		}
		d := compileDecoder(t, described)
		for missing := range members {
			var body strings.Builder
			for i := members - 1; i >= 0; i-- { // against the expected order
				if i != missing {
					fmt.Fprintf(&body, `,"member_%d":%d`, i, i)
				}
			}
			text := "{" + strings.TrimPrefix(body.String(), ",") + "}"
			dst := reflect.New(typ)
			err := d.Decode([]byte(text), dst.Interface())
			if want := fmt.Sprintf("invalid: /member_%d required", missing); err == nil || err.Error() != want {
				t.Fatalf("%d members: got %v, want %s", members, err, want)
			}
			if last := dst.Elem().Field(members - 1).Int(); missing != members-1 && last != int64(members-1) {
				t.Fatalf("%d members: the last is %d", members, last)
			}
		}
	}
}

func TestViolationsAreBounded(t *testing.T) {
	t.Parallel()
	d := decoderOf[[]inner](t)

	var got []inner
	err := d.Decode([]byte("["+strings.Repeat("{},", 9999)+"{}]"), &got)
	var bad fault.Violations
	if !errors.As(err, &bad) || len(bad) != 64 {
		t.Errorf("got %d violations, want 64", len(bad))
	}
	if len(got) > 64 {
		t.Errorf("%d items of a refused list were kept", len(got))
	}
	// What comes after must still be JSON.
	if err := d.Decode([]byte("["+strings.Repeat("{},", 9999)+"]"), new([]inner)); errors.As(err, &bad) {
		t.Errorf("got %v, want a syntax error", err)
	}
}

type bounded struct {
	Items  []int             `json:"items,omitzero"`
	Labels map[string]string `json:"labels,omitzero"`
	Counts map[string]int    `json:"counts,omitzero"`
	Bytes  []byte            `json:"bytes,omitzero"`
}

func (b *bounded) Rules(r *rule.Set) {
	rule.Items(r, &b.Items).Len(1, 3).Unique()
	rule.Entries(r, &b.Labels).Len(1, 2)
	rule.Entries(r, &b.Counts).Len(1, 2)
	rule.Items(r, &b.Bytes).Len(1, 2)
}

func TestSizesAreChecked(t *testing.T) {
	t.Parallel()
	d := decoderOf[bounded](t)

	for body, want := range map[string]string{
		`{"items":[1,2,3],"labels":{"a":"","b":""},"counts":{"a":1},"bytes":"AQI="}`: ``,
		`{"items":[],"labels":{},"counts":{},"bytes":""}`:                            `invalid: /items too_few; /labels too_few; /counts too_few; /bytes too_few`,
		`{"items":[1,2,3,4,5,6]}`:                                                    `invalid: /items too_many`,
		`{"items":[1,2,1]}`:                                                          `invalid: /items not_unique`,
		`{"items":[1,"1",1]}`:                                                        `invalid: /items/1 type`,
		`{"labels":{"a":"","b":"","c":""},"counts":{"a":1,"b":1,"c":1}}`:             `invalid: /labels too_many; /counts too_many`,
		`{"bytes":"AQID"}`:                                                           `invalid: /bytes too_many`,
	} {
		var got bounded
		err := d.Decode([]byte(body), &got)
		if (err == nil) != (want == "") || err != nil && err.Error() != want {
			t.Errorf("%s\n got %v\nwant %s", body, err, want)
		}
		if len(got.Items) > 3 {
			t.Errorf("%s: %d items were kept of the 3 that are valid", body, len(got.Items))
		}
	}
}

func TestTextsOfLongBodiesAreCopied(t *testing.T) {
	t.Parallel()
	type texts struct {
		Text   string            `json:"text"`
		Labels map[string]string `json:"labels"`
		Filler string            `json:"filler"`
	}
	d := decoderOf[texts](t)

	for filler, aliases := range map[int]bool{0: true, 20 << 10: false} {
		body := []byte(`{"text":"abcdef","labels":{"key":"value"},"filler":"` + strings.Repeat("x", min(filler, 4096)) + `"` + strings.Repeat(" ", filler) + `}`)
		var got texts
		if err := d.Decode(body, &got); err != nil {
			t.Fatal(err)
		}
		first, last := uintptr(unsafe.Pointer(&body[0])), uintptr(unsafe.Pointer(&body[len(body)-1]))
		for _, s := range []string{got.Text, got.Labels["key"]} {
			at := uintptr(unsafe.Pointer(unsafe.StringData(s)))
			if inside := at >= first && at <= last; inside != aliases {
				t.Errorf("of a body of %d bytes, %q is inside it: %t", len(body), s, inside)
			}
		}
	}
}

func TestEnumsAreInterned(t *testing.T) {
	t.Parallel()
	d := decoderOf[authorize](t)

	var a, b authorize
	for _, in := range []*authorize{&a, &b} {
		if err := d.Decode([]byte(authorizeBody), in); err != nil {
			t.Fatal(err)
		}
	}
	if unsafe.StringData(string(a.Currency)) != unsafe.StringData(string(b.Currency)) {
		t.Error("two readings of an enum's value do not share the declared one")
	}
}

func TestDecodersAreSharedSafely(t *testing.T) {
	t.Parallel()
	d, e := decoderOf[authorize](t), encoderOf[payment](t)

	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 200 {
				var in authorize
				if err := d.Decode([]byte(authorizeBody), &in); err != nil {
					t.Error(err)
				}
				if _, err := e.Append(nil, somePayment()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

// The budget of the hot path: nothing beyond the value itself, whose map takes
// two. Bounds are exact, so that a lost one is seen.
func TestAllocations(t *testing.T) {
	d, e := decoderOf[authorize](t), encoderOf[payment](t)
	body, answer, out := []byte(authorizeBody), somePayment(), make([]byte, 0, 4096)

	if n := testing.AllocsPerRun(200, func() {
		if err := d.Decode(body, new(authorize)); err != nil {
			t.Fatal(err)
		}
	}); n > 3 {
		t.Errorf("reading takes %v allocations, want 3: the value and its map", n)
	}
	if n := testing.AllocsPerRun(200, func() {
		if _, err := e.Append(out[:0], answer); err != nil {
			t.Fatal(err)
		}
	}); n > 0 {
		t.Errorf("writing takes %v allocations, want none", n)
	}

	inputs, err := decoderOf[search](t).Elsewhere("id", "limit")
	if err != nil {
		t.Fatal(err)
	}
	id, errID := inputs.Field("id")
	limit, errLimit := inputs.Field("limit")
	if err := errors.Join(errID, errLimit); err != nil {
		t.Fatal(err)
	}
	rest := []byte(`{"amount":7}`)
	if n := testing.AllocsPerRun(200, func() {
		r := inputs.Begin(new(search))
		r.Text(id, "pay_1")
		r.Text(limit, "20")
		if err := errors.Join(r.Body(rest), r.Finish()); err != nil {
			t.Fatal(err)
		}
	}); n > 1 {
		t.Errorf("reading from three places takes %v allocations, want 1: the value", n)
	}
}
