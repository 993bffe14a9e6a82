package rule_test

import (
	"encoding/json"
	"math"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/rule"
)

func describe[T any](t testing.TB) *rule.Type {
	t.Helper()
	out, err := rule.Describe(reflect.TypeFor[T]())
	if err != nil {
		t.Fatal(err)
	}
	return out
}

type everything struct {
	Bool    bool                  `json:"bool"`
	Int     int16                 `json:"int"`
	Uint    uint64                `json:"uint"`
	Float   float32               `json:"float"`
	Text    string                `json:"text"`
	Bytes   []byte                `json:"bytes"`
	Time    time.Time             `json:"time"`
	List    []everything          `json:"list"`
	Map     map[string]int        `json:"map"`
	Object  struct{ A struct{} }  `json:"object"`
	Address netip.Addr            `json:"address"`
	Raw     json.RawMessage       `json:"raw"`
	Free    any                   `json:"free"`
	Array   [2]int                `json:"array"`
	ByID    map[int]string        `json:"by_id"`
	Nulls   []*int                `json:"nulls"`
	Pointer *int                  `json:"pointer"`
	Twice   **int                 `json:"twice"`
	Patch   rule.Optional[string] `json:"patch"`
	Zero    int                   `json:"zero,omitzero"`
	Empty   string                `json:"empty,omitempty"`
	Dash    int                   `json:"-,"` //nolint:staticcheck // its name is -, not none
	Named   int
	hidden  int
	Left    int `json:"-"`
}

func TestDescribeListsTheMembersAsTheyAreOnTheWire(t *testing.T) {
	t.Parallel()
	_ = everything{hidden: 0}

	root := describe[everything](t)
	want := map[string]struct {
		kind               rule.Kind
		wrap               rule.Wrap
		required, nullable bool
	}{
		"bool":    {rule.Bool, rule.Plain, true, false},
		"int":     {rule.Int, rule.Plain, true, false},
		"uint":    {rule.Uint, rule.Plain, true, false},
		"float":   {rule.Float, rule.Plain, true, false},
		"text":    {rule.String, rule.Plain, true, false},
		"bytes":   {rule.Bytes, rule.Plain, true, false},
		"time":    {rule.Time, rule.Plain, true, false},
		"list":    {rule.List, rule.Plain, true, false},
		"map":     {rule.Map, rule.Plain, true, false},
		"object":  {rule.Object, rule.Plain, true, false},
		"address": {rule.Any, rule.Plain, true, false},
		"raw":     {rule.Any, rule.Plain, true, false},
		"free":    {rule.Any, rule.Plain, true, false},
		"array":   {rule.Any, rule.Plain, true, false},
		"by_id":   {rule.Any, rule.Plain, true, false},
		"nulls":   {rule.List, rule.Plain, true, false},
		"pointer": {rule.Int, rule.Pointer, false, true},
		"twice":   {rule.Any, rule.Pointer, false, true},
		"patch":   {rule.String, rule.Opt, false, true},
		"zero":    {rule.Int, rule.Plain, false, false},
		"empty":   {rule.String, rule.Plain, false, false},
		"-":       {rule.Int, rule.Plain, true, false},
		"Named":   {rule.Int, rule.Plain, true, false},
	}
	if len(root.Object.Fields) != len(want) {
		t.Errorf("%d members, want %d", len(root.Object.Fields), len(want))
	}
	for _, f := range root.Object.Fields {
		w, ok := want[f.Name]
		if !ok {
			t.Errorf("member %s should not be there", f.Name)
			continue
		}
		if f.Type.Kind != w.kind || f.Wrap != w.wrap || f.Required != w.required || f.Nullable != w.nullable {
			t.Errorf("%s: kind %s, wrap %d, required %v, nullable %v; want %+v", f.Name, f.Type.Kind, f.Wrap, f.Required, f.Nullable, w)
		}
	}
	if list := root.Object.Field("list"); list.Type.Elem != root {
		t.Error("a type that holds itself is described twice")
	}
	if text := root.Object.Field("text").Type.Text; text.Max != rule.DefaultMaxLen || text.Control != rule.NoControl {
		t.Error("a text without rules is not bounded")
	}
}

type base struct {
	ID   string `json:"id"`
	Note string `json:"note"`
}

func (b *base) Rules(r *rule.Set) { rule.Text(r, &b.ID).Len(1, 8) }

type Audit struct {
	By string `json:"by"`
}

func (a *Audit) Rules(r *rule.Set) { rule.Text(r, &a.By).Len(2, 9) }

type wide struct {
	base
	Audit
	Tag string `json:"tag"`
}

func (w *wide) Rules(r *rule.Set) {
	rule.Text(r, &w.Tag).Len(3, 10)
	rule.Text(r, &w.Note).Len(4, 11)
}

// promoted has no Rules of its own, and two to choose from.
type promoted struct {
	base
	Audit
}

func TestRulesOfEmbeddedStructsHold(t *testing.T) {
	t.Parallel()

	for name, want := range map[string]int{"id": 8, "by": 9, "tag": 10, "note": 11} {
		if got := describe[wide](t).Object.Field(name).Type.Text.Max; got != want {
			t.Errorf("wide.%s: at most %d, want %d", name, got, want)
		}
	}
	for name, want := range map[string]int{"id": 8, "by": 9, "note": rule.DefaultMaxLen} {
		if got := describe[promoted](t).Object.Field(name).Type.Text.Max; got != want {
			t.Errorf("promoted.%s: at most %d, want %d", name, got, want)
		}
	}
	value := reflect.ValueOf(wide{Tag: "t", Audit: Audit{By: "b"}, base: base{ID: "i"}})
	for _, name := range []string{"id", "by", "tag"} {
		f := describe[wide](t).Object.Field(name)
		if got := value.FieldByIndex(f.Index).String(); got != name[:1] {
			t.Errorf("the index of %s leads to %q", name, got)
		}
	}
	if got := describe[base](t).Object.Field("note").Type.Text.Max; got != rule.DefaultMaxLen {
		t.Error("rules of an outer type reached the embedded one")
	}
}

type currency string

func (c *currency) Rules(r *rule.Set) { rule.OneOf(r, c, "EUR", "USD") }

type tag string

func (s *tag) Rules(r *rule.Set) { rule.Text(r, s).Len(1, 3) }

type tags []tag

func (l *tags) Rules(r *rule.Set) { rule.Items(r, l).Len(1, 2).Unique() }

type first struct {
	// The first three share their address with the struct, or with nothing.
	Empty struct{}              `json:"empty"`
	Name  string                `json:"name"`
	Card  struct{ Name string } `json:"card"`
	Gap   struct{}              `json:"gap"`
	Also  struct{}              `json:"also"`

	Money  currency                `json:"money"`
	Narrow currency                `json:"narrow"`
	Labels tags                    `json:"labels"`
	Age    *uint8                  `json:"age"`
	Alias  rule.Optional[string]   `json:"alias"`
	Blob   []byte                  `json:"blob"`
	Extra  map[currency]int        `json:"extra"`
	Rate   float64                 `json:"rate"`
	Until  rule.Optional[currency] `json:"until"`
}

func (f *first) Rules(r *rule.Set) {
	rule.Text(r, &f.Name).Len(2, 5)
	rule.Text(r, &f.Name).Match(`^[a-z]+$`)
	rule.OneOf(r, &f.Narrow, "EUR")
	rule.Number(r, f.Age).Between(18, 130)
	rule.Text(r, &f.Alias.Value).Len(1, 4).Secret()
	rule.Items(r, &f.Blob).Len(1, 3).Secret()
	rule.Entries(r, &f.Extra).Len(0, 1)
	rule.Number(r, &f.Rate).Min(0.5).Secret()
}

func TestRulesReachTheFieldsTheyName(t *testing.T) {
	t.Parallel()

	object := describe[first](t).Object
	name := object.Field("name").Type.Text
	if name.Min != 2 || name.Max != 5 || name.Pattern != `^[a-z]+$` {
		t.Errorf("name: %+v: a second rule must add to the first", name)
	}
	if got := object.Field("card").Type.Object.Field("Name").Type.Text.Max; got != rule.DefaultMaxLen {
		t.Errorf("card.Name: at most %d: it took a rule of another field", got)
	}
	if got := object.Field("money").Type.Enum; len(got) != 2 {
		t.Errorf("money: one of %v, want its type's own list", got)
	}
	if got := object.Field("narrow").Type.Enum; len(got) != 1 || got[0] != currency("EUR") {
		t.Errorf("narrow: one of %v, want the field's list", got)
	}
	if labels := object.Field("labels").Type; labels.Size != (rule.SizeLimits{Min: 1, Max: 2, Unique: true}) || labels.Elem.Text.Max != 3 {
		t.Errorf("labels: %+v of %+v", labels.Size, labels.Elem.Text)
	}
	if age := object.Field("age").Type.Number; age.MinUint != 18 || age.MaxUint != 130 || !age.HasMin || !age.HasMax {
		t.Errorf("age: %+v", age)
	}
	if alias := object.Field("alias").Type; alias.Text.Max != 4 || !alias.Secret {
		t.Errorf("alias: %+v", alias)
	}
	if blob := object.Field("blob").Type; blob.Size.Max != 3 || !blob.Secret {
		t.Errorf("blob: %+v", blob)
	}
	if extra := object.Field("extra").Type; extra.Size.Max != 1 || len(extra.Key.Enum) != 2 {
		t.Errorf("extra: %+v", extra)
	}
	if rate := object.Field("rate").Type; rate.Number.MinFloat != 0.5 || rate.Number.HasMax || !rate.Secret {
		t.Errorf("rate: %+v", rate)
	}
	if until := object.Field("until").Type; len(until.Enum) != 2 {
		t.Errorf("until: %+v", until)
	}
}

type validating struct{ A, B int }

func (v validating) Validate() error { return nil }

type holdsValidating struct {
	validating
	C int
}

type node struct {
	Name string  `json:"name"`
	Next *node   `json:"next"`
	Kids []node  `json:"kids"`
	Maps mapping `json:"maps"`
	Refs []*node `json:"refs"`
	Far  **node  `json:"far"`
}

type mapping map[string]node

func (n *node) Rules(r *rule.Set) {
	rule.Text(r, &n.Name).Len(1, 5)
	rule.Items(r, &n.Kids).Len(0, 3)
}

func TestDescribeReadsTypesThatHoldThemselves(t *testing.T) {
	t.Parallel()

	root := describe[node](t)
	kids := root.Object.Field("kids").Type
	for path, inner := range map[string]*rule.Type{
		"kids": kids.Elem, "next": root.Object.Field("next").Type, "maps": root.Object.Field("maps").Type.Elem,
		"refs": root.Object.Field("refs").Type.Elem.Elem, "far": root.Object.Field("far").Type.Elem,
	} {
		if inner.Object.Field("name").Type.Text.Max != 5 || inner.Object.Field("kids").Type.Size.Max != 3 {
			t.Errorf("%s: the rules of the inner node are gone", path)
		}
	}
}

func TestDescribeSeesValidators(t *testing.T) {
	t.Parallel()

	if !describe[validating](t).Object.Validates || !describe[holdsValidating](t).Object.Validates {
		t.Error("a Validate method is not seen")
	}
	if describe[base](t).Object.Validates {
		t.Error("a Validate method is seen that is not there")
	}
}

// The types below are mistaken, each in one way.
type (
	byValue      struct{ A int }
	depends      struct{ A int }
	dependsMuch  struct{ A string }
	dependsOnNil struct{ A []int }
	nested       struct{ In struct{ A string } }
	other        struct{ A int }
	twin         struct {
		A int `json:"B"`
		B int
	}
	twinEmbedded struct {
		base
		ID int `json:"id"`
	}
	unknownOption struct {
		A int `json:"a,string"`
	}
	channel   struct{ A chan int }
	optionals struct{ A []rule.Optional[int] }
	optional2 struct{ A rule.Optional[*int] }
	ownJSON   struct{ A time.Duration }
	fieldJSON struct{ A shout }
	shout     string
	kinds     struct {
		A netip.Addr
		B []byte
		C [][]int
		D map[string]int
	}
	backwards   struct{ A int }
	backwards2  struct{ A uint }
	backwards3  struct{ A float32 }
	nan         struct{ A float64 }
	shortText   struct{ A, B string }
	noRoom      struct{ A []int }
	badPattern  struct{ A, B string }
	badFormat   struct{ A string }
	noValues    struct{ A string }
	twiceListed struct{ A int }
	clash       struct{ A, B string }
	panics      struct{ A *struct{ B string } }
	nobodyCalls struct{ A checked }
	checked     string
	behindArray struct{ A [2]wide }
	behindKeys  struct{ A map[int]validating }
	embedsPtr   struct {
		*node
		A int
	}
	cycle      struct{ inCycle }
	inCycle    struct{ A []cycle }
	nilPointer struct{ A int }
)

func (b byValue) Rules(r *rule.Set) { rule.Number(r, &b.A).Min(1) }
func (d *depends) Rules(r *rule.Set) {
	if d.A > 0 {
		rule.Number(r, &d.A).Min(1)
	}
}

func (d *dependsMuch) Rules(r *rule.Set) {
	if len(d.A) > 100 {
		panic("long")
	}
}
func (d *dependsOnNil) Rules(r *rule.Set) { rule.Items(r, &d.A).Len(0, 1+len(d.A)) }
func (n *nested) Rules(r *rule.Set)       { rule.Text(r, &n.In.A).Len(1, 2) }
func (o *other) Rules(r *rule.Set)        { rule.Number(r, new(int)).Min(1) }
func (o *ownJSON) Rules(r *rule.Set)      { rule.Number(r, &o.A).Min(1) }
func (*ownJSON) UnmarshalJSON([]byte) error {
	return nil
}
func (f *fieldJSON) Rules(r *rule.Set)    { rule.Text(r, &f.A).Len(1, 2) }
func (*shout) UnmarshalText([]byte) error { return nil }
func (k *kinds) Rules(r *rule.Set) {
	rule.Items(r, &k.B).Unique()
	rule.Items(r, &k.C).Unique()
	rule.Entries(r, &k.D).Unique()
}
func (b *backwards) Rules(r *rule.Set)  { rule.Number(r, &b.A).Between(2, 1) }
func (b *backwards2) Rules(r *rule.Set) { rule.Number(r, &b.A).Min(2).Max(1) }
func (b *backwards3) Rules(r *rule.Set) { rule.Number(r, &b.A).Min(2).Max(1) }
func (n *nan) Rules(r *rule.Set)        { rule.Number(r, &n.A).Min(math.NaN()).Max(math.Inf(1)) }
func (s *shortText) Rules(r *rule.Set) {
	rule.Text(r, &s.A).Len(3, 2)
	rule.Text(r, &s.B).Len(-1, 2)
}
func (n *noRoom) Rules(r *rule.Set) { rule.Items(r, &n.A).Len(0, 0) }
func (b *badPattern) Rules(r *rule.Set) {
	rule.Text(r, &b.A).Match(`(`)
	rule.Text(r, &b.B).Match(`(?i)a`)
}
func (b *badFormat) Rules(r *rule.Set)   { rule.Text(r, &b.A).Format("colour") }
func (n *noValues) Rules(r *rule.Set)    { rule.OneOf(r, &n.A) }
func (l *twiceListed) Rules(r *rule.Set) { rule.OneOf(r, &l.A, 1, 2, 1) }
func (c *clash) Rules(r *rule.Set) {
	rule.OneOf(r, &c.A, "EUR", "EURO")
	rule.Text(r, &c.A).Len(3, 3)
}
func (p *panics) Rules(*rule.Set)       { _ = *p.A; panic("boom") }
func (checked) Validate() error         { return nil }
func (n *nilPointer) Rules(r *rule.Set) { rule.Number[int](r, nil).Min(1) }

func TestDescribeNamesWhatIsWrong(t *testing.T) {
	t.Parallel()

	for want, of := range map[string]any{
		"rule_test.byValue: Rules has a value receiver; make it a pointer, or it names the fields of a copy":                             byValue{},
		"rule_test.depends: Rules depends on a value; it must record the same rules whatever the fields hold":                            depends{},
		"rule_test.dependsMuch: Rules depends on a value; it must record the same rules whatever the fields hold":                        dependsMuch{},
		"rule_test.dependsOnNil: Rules depends on a value; it must record the same rules whatever the fields hold":                       dependsOnNil{},
		"rule_test.nested: Rules: Text names a string that is not a field of rule_test.nested; give the field's own type a Rules method": nested{},
		"rule_test.other: Rules: Number names a int that is not a field of rule_test.other; give the field's own type a Rules method":    other{},
		`rule_test.twin: fields A and B are both named "B"`:                                                                              twin{},
		`rule_test.twinEmbedded: fields ID and ID are both named "id"`:                                                                   twinEmbedded{},
		`rule_test.unknownOption.A: json tag option "string" is not known; the options are omitzero and omitempty`:                       unknownOption{},
		"chan int cannot be sent as JSON":                                                                                   channel{},
		"rule.Optional[int]: an Optional can only be a field of a struct":                                                   optionals{},
		"rule_test.optional2.A: an Optional says itself that it is null; let it hold int":                                   optional2{},
		"rule_test.ownJSON has Rules, but reads its JSON itself; it must check itself there":                                ownJSON{},
		"rule_test.fieldJSON: Rules: Text names a rule_test.shout, which reads its JSON itself; it must check itself there": fieldJSON{},
		"rule_test.kinds: Rules: Unique is no rule for a bytes\n" +
			"rule_test.kinds: Rules: Unique: items of type []int cannot be compared as their JSON can\n" +
			"rule_test.kinds: Rules: Unique is no rule for a map": kinds{},
		"rule_test.backwards: Rules: A: the least number is above the greatest":                                         backwards{},
		"rule_test.backwards2: Rules: A: the least number is above the greatest":                                        backwards2{},
		"rule_test.backwards3: Rules: A: the least number is above the greatest":                                        backwards3{},
		"rule_test.nan: Rules: Min(NaN) is no bound\nrule_test.nan: Rules: Max(+Inf) is no bound":                       nan{},
		"rule_test.shortText: Rules: Len(3, 2) accepts nothing\nrule_test.shortText: Rules: Len(-1, 2) accepts nothing": shortText{},
		"rule_test.noRoom: Rules: Len(0, 0) leaves no room for an item":                                                 noRoom{},
		"rule_test.badPattern: Rules: Match(`(`): error parsing regexp: missing closing ): `(`\n" +
			"rule_test.badPattern: Rules: Match(`(?i)a`): JavaScript does not read (?i so": badPattern{},
		`rule_test.badFormat: Rules: Format("colour") is not known; the formats are [email uuid date date-time uri hostname ipv4 ipv6]`:                         badFormat{},
		"rule_test.noValues: Rules: OneOf without a value accepts nothing":                                                                                      noValues{},
		"rule_test.twiceListed: Rules: OneOf lists 1 twice":                                                                                                     twiceListed{},
		`rule_test.clash: Rules: A: OneOf lists "EURO", which breaks another rule: must have at most 3 characters`:                                              clash{},
		"rule_test.panics: Rules: panic: boom":                                                                                                                  panics{},
		"rule_test.checked has a Validate method, but only those of structs are called; give it Rules, or check it in the Validate of the struct that holds it": nobodyCalls{},
		"[2]rule_test.wide: the rules of rule_test.base are not checked there; hold it in a named field, a slice, or a map with text keys\n" +
			"[2]rule_test.wide: the rules of rule_test.Audit are not checked there; hold it in a named field, a slice, or a map with text keys\n" +
			"[2]rule_test.wide: the rules of rule_test.wide are not checked there; hold it in a named field, a slice, or a map with text keys": behindArray{},
		"map[int]rule_test.validating: the rules of rule_test.validating are not checked there; hold it in a named field, a slice, or a map with text keys": behindKeys{},
		"rule_test.cycle embeds rule_test.inCycle, which holds it again; name the field":                                                                    inCycle{},
		"rule_test.nilPointer: Rules: Number names a nil pointer of type *int":                                                                              nilPointer{},
	} {
		_, err := rule.Describe(reflect.TypeOf(of))
		if err == nil {
			t.Errorf("%T is accepted, want: %s", of, want)
			continue
		}
		if got := err.Error(); got != want {
			t.Errorf("%T:\n got %s\nwant %s", of, got, want)
		}
	}
}

func TestDescribeNamesAmbiguousValidators(t *testing.T) {
	t.Parallel()

	type left struct{ validating }
	type right struct{ validating }
	type both struct {
		left
		right
	}
	_, err := rule.Describe(reflect.TypeFor[both]())
	if err == nil || !strings.Contains(err.Error(), "embeds several structs with a Validate method") {
		t.Errorf("got %v", err)
	}
}

func TestStructsWithEmbeddedPointersAreLeftToTheFallback(t *testing.T) {
	t.Parallel()

	type plain struct{ A int }
	type holder struct {
		*plain
		B int
	}
	if got := describe[holder](t); got.Kind != rule.Any {
		t.Errorf("kind %s", got.Kind)
	}
	_, err := rule.Describe(reflect.TypeFor[embedsPtr]())
	if err == nil || !strings.Contains(err.Error(), "the rules of rule_test.node are not checked there") {
		t.Errorf("got %v", err)
	}
}
