package row_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/db/internal/row"
)

// source is a row of Go values.
type source []any

func (s source) Scan(dst ...any) error {
	for i, v := range s {
		if scanner, ok := dst[i].(interface{ Scan(any) error }); ok {
			if err := scanner.Scan(v); err != nil {
				return err
			}
			continue
		}
		reflect.ValueOf(dst[i]).Elem().Set(reflect.ValueOf(v))
	}
	return nil
}

type Base struct {
	ID        int64
	CreatedAt time.Time
}

type Named string

type Full struct {
	Base

	MerchantID string
	HTTPStatus int
	URL        Named  `json:"link,omitempty"`
	Secret     string `json:"-"`
	Tagged     bool   `db:"flag" json:"other"`
	Labels     map[string]int
	hidden     int
}

func TestColumnsFindTheirFields(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	columns := []string{"labels", "flag", "secret", "link", "http_status", "merchant_id", "created_at", "id"}
	plan, err := row.Compile(reflect.TypeFor[Full](), columns)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second use has the state of the first
		var got Full
		if err := row.Scan(plan, source{`{"a":1}`, true, "s", "u", 200, "m", at, int64(7)}, &got); err != nil {
			t.Fatal(err)
		}
		want := Full{Base: Base{7, at}, MerchantID: "m", HTTPStatus: 200, URL: "u", Secret: "s", Tagged: true, Labels: map[string]int{"a": 1}}
		if !reflect.DeepEqual(got, want) || got.hidden != 0 {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
	if !reflect.DeepEqual(plan.Columns(), columns) {
		t.Error(plan.Columns())
	}
}

func TestMistakesAreNamed(t *testing.T) {
	t.Parallel()
	type clash struct {
		A int `db:"x"`
		B int `db:"x"`
	}
	type left struct{ Name string }
	type right struct{ Name string }
	type twins struct {
		left
		right
	}
	type function struct{ Call func() }
	for _, c := range []struct {
		typ     reflect.Type
		columns []string
		says    []string
	}{
		{reflect.TypeFor[Full](), []string{"id", "nobody"}, []string{`"nobody"`, "row_test.Full"}},
		{reflect.TypeFor[Full](), []string{"hidden"}, []string{`"hidden"`}},
		{reflect.TypeFor[Full](), []string{"id", "id"}, []string{`"id"`, "twice"}},
		{reflect.TypeFor[clash](), []string{"x"}, []string{"A and B", `"x"`}},
		{reflect.TypeFor[twins](), []string{"name"}, []string{"left.Name and right.Name"}},
		{reflect.TypeFor[function](), []string{"call"}, []string{`"call"`, "field Call", "func()"}},
		{reflect.TypeFor[string](), []string{"a", "b"}, []string{"string", "one column"}},
		{reflect.TypeFor[chan int](), []string{"a"}, []string{"chan int"}},
	} {
		_, err := row.Compile(c.typ, c.columns)
		for _, s := range c.says {
			if err == nil || !strings.Contains(err.Error(), s) {
				t.Errorf("%s from %q: %v must say %s", c.typ, c.columns, err, s)
			}
		}
	}
}

func TestAFailedScanNamesTheType(t *testing.T) {
	t.Parallel()
	plan, err := row.Compile(reflect.TypeFor[Full](), []string{"labels"})
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []any{`{"a":`, `{"a":"b"}`, []byte(`[]`), 5.5, true} {
		var got Full
		if err := row.Scan(plan, source{bad}, &got); err == nil || !strings.Contains(err.Error(), "row_test.Full") || got.Labels != nil {
			t.Errorf("%v: %v, %v", bad, got.Labels, err)
		}
	}
	failure := errors.New("failure")
	if err := row.Scan(plan, broken{failure}, new(Full)); !errors.Is(err, failure) {
		t.Error(err)
	}
}

type broken struct{ err error }

func (b broken) Scan(...any) error { return b.err }

func TestEveryBasicKindTakesItsPointer(t *testing.T) {
	t.Parallel()
	check[string](t, "a")
	check[bool](t, true)
	check[int](t, 1)
	check[int8](t, 1)
	check[int16](t, 1)
	check[int32](t, 1)
	check[int64](t, 1)
	check[uint](t, 1)
	check[uint8](t, 1)
	check[uint16](t, 1)
	check[uint32](t, 1)
	check[uint64](t, 1)
	check[float32](t, 1)
	check[float64](t, 1)
	check[[]byte](t, []byte("a"))
	check[time.Time](t, time.Unix(1, 0))
	check[any](t, "a")
}

// check scans a T, a *T and a NULL *T.
func check[T any](t *testing.T, v T) {
	t.Helper()
	for _, c := range []struct {
		typ  reflect.Type
		scan func(*row.Plan) (any, error)
		want any
	}{
		{reflect.TypeFor[T](), func(p *row.Plan) (any, error) { var got T; err := row.Scan(p, source{v}, &got); return got, err }, v},
		{reflect.TypeFor[*T](), func(p *row.Plan) (any, error) { var got *T; err := row.Scan(p, source{&v}, &got); return got, err }, &v},
	} {
		plan, err := row.Compile(c.typ, []string{"c"})
		if err != nil {
			t.Errorf("%s: %v", c.typ, err)
			continue
		}
		if got, err := c.scan(plan); err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %v, %v, want %v", c.typ, got, err, c.want)
		}
	}
}

func TestAPlanIsForItsType(t *testing.T) {
	t.Parallel()
	plan, err := row.Compile(reflect.TypeFor[int](), []string{"c"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if r := fmt.Sprint(recover()); !strings.Contains(r, "plan of int used for string") {
			t.Error(r)
		}
	}()
	_ = row.Scan(plan, source{1}, new(string))
}
