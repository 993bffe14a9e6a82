package ashlartest_test

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar"
	"github.com/ashlar-go/ashlar/ashlartest"
	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/op"
	"github.com/ashlar-go/ashlar/rule"
)

// everything has a member for each kind of value and each kind of rule.
type everything struct {
	Count   int64             `json:"count"`
	Small   int8              `json:"small,omitzero"`
	Size    uint16            `json:"size"`
	Share   float64           `json:"share"`
	Name    string            `json:"name"`
	Code    string            `json:"code"`
	Mail    string            `json:"mail,omitzero"`
	Link    *string           `json:"link"`
	Colour  string            `json:"colour"`
	Level   int               `json:"level"`
	Seal    []byte            `json:"seal"`
	When    time.Time         `json:"when,omitzero"`
	Tags    []string          `json:"tags"`
	Notes   map[string]string `json:"notes,omitzero"`
	Patch   patch             `json:"patch"`
	Parts   []patch           `json:"parts,omitempty"`
	Checked string            `json:"checked"`
}

type patch struct {
	Name rule.Optional[string] `json:"name"`
	On   *bool                 `json:"on"`
}

func (p *patch) Rules(r *rule.Set) { rule.Text(r, &p.Name.Value).Len(2, 6) }

// An oath is a rule of everything, so that a test can leave one out.
type oath struct {
	name string
	says func(r *rule.Set, in *everything)
}

var oaths = []oath{
	{"min max", func(r *rule.Set, in *everything) { rule.Number(r, &in.Count).Between(-5, 1_000_000_000_000) }},
	{"uint min max", func(r *rule.Set, in *everything) { rule.Number(r, &in.Size).Between(3, 65_000) }},
	{"float min max", func(r *rule.Set, in *everything) { rule.Number(r, &in.Share).Between(0.25, 0.75) }},
	{"min_len max_len", func(r *rule.Set, in *everything) { rule.Text(r, &in.Name).Len(2, 40) }},
	{"pattern", func(r *rule.Set, in *everything) { rule.Text(r, &in.Code).Match(`^[A-Z]{2,4}-\d+(x|yz)?$`) }},
	{"format", func(r *rule.Set, in *everything) { rule.Text(r, &in.Mail).Format(rule.Email) }},
	{"format of a URI", func(r *rule.Set, in *everything) { rule.Text(r, in.Link).Format(rule.URI).Len(30, 60) }},
	{"enum", func(r *rule.Set, in *everything) { rule.OneOf(r, &in.Colour, "red", "green") }},
	{"enum of numbers", func(r *rule.Set, in *everything) { rule.OneOf(r, &in.Level, 0, 1, 7) }},
	{"bytes", func(r *rule.Set, in *everything) { rule.Items(r, &in.Seal).Len(2, 8) }},
	{"items", func(r *rule.Set, in *everything) { rule.Items(r, &in.Tags).Len(1, 5) }},
	{"unique", func(r *rule.Set, in *everything) { rule.Items(r, &in.Tags).Unique() }},
	{"entries", func(r *rule.Set, in *everything) { rule.Entries(r, &in.Notes).Len(1, 3) }},
	{"Validate", func(*rule.Set, *everything) {}},
}

// without names the oath that is left out. Only TestALostRuleIsCaught sets it.
var without string

func (in *everything) Rules(r *rule.Set) {
	for _, o := range oaths {
		if o.name != without {
			o.says(r, in)
		}
	}
}

// Validate knows what no rule says: that some value has an even length.
func (in *everything) Validate() error {
	if len(in.Checked)%2 != 0 {
		return fault.At("/checked", "odd", "must be even")
	}
	return nil
}

func openEverything(t testing.TB) *ashlartest.Client {
	app := ashlartest.Open(t, "ASHLAR_LIMIT_ADDRESS", "off")
	app.Mount(ashlar.Module{Name: "everything", Operations: []op.Operation{
		op.Command("everything.take", "POST /everything", func(context.Context, everything) (struct{}, error) { return struct{}{}, nil }, op.Public()),
	}})
	return app.Anonymous()
}

var take = ashlartest.Call[struct{}]

func TestFactoryMakesWhatIsValid(t *testing.T) {
	t.Parallel()
	c, f := openEverything(t), ashlartest.NewFactory[everything](t)
	met := map[string]bool{}
	for range 300 {
		in := f.Make()
		met[fmt.Sprint(in)] = true
		take(c, "everything.take", in).OK()
	}
	if len(met) < 290 {
		t.Errorf("only %d of 300 inputs differ", len(met))
	}
	again := ashlartest.NewFactory[everything](t)
	if x, y := again.Make(), ashlartest.NewFactory[everything](t).Make(); !reflect.DeepEqual(x, y) {
		t.Errorf("another factory makes\n%+v, not\n%+v", y, x)
	}
}

func TestFactoryStates(t *testing.T) {
	t.Parallel()
	f := ashlartest.NewFactory(t, func(in *everything) { in.Colour = "green" })
	f.State("full", func(in *everything) { in.Level, in.Count = 7, 1 })
	in := f.MakeIn("full", func(in *everything) { in.Count = 2 })
	if in.Colour != "green" || in.Level != 7 || in.Count != 2 {
		t.Errorf("made %+v", in)
	}
	said := failures(t, func(tb testing.TB) {
		f := ashlartest.NewFactory[everything](tb)
		f.State("full", func(*everything) {})
		f.State("empty", func(*everything) {})
		f.MakeIn("half")
	})
	if !strings.Contains(said, `there is no state "half"; there are empty, full`) {
		t.Errorf("it says %s", said)
	}
	said = failures(t, func(tb testing.TB) {
		ashlartest.NewFactory(tb, func(in *everything) { in.Colour = "blue" }).Make()
	})
	if !strings.Contains(said, "no valid ashlartest_test.everything could be made") || !strings.Contains(said, "/colour") {
		t.Errorf("it says %s", said)
	}
}

func TestNeighboursAreWhatTheySay(t *testing.T) {
	t.Parallel()
	f := ashlartest.NewFactory[everything](t)
	f.Hold(openEverything(t), "everything.take")

	got := map[string]int{}
	for _, n := range f.Neighbours() {
		got[n.Rule]++
		if n.Inside {
			got[n.Rule+" inside"]++
		}
	}
	for _, want := range []string{
		"min", "min inside", "max", "max inside", "min_len", "min_len inside", "max_len", "max_len inside", "pattern", "format", "control",
		"enum", "enum inside", "min_items", "min_items inside", "max_items", "max_items inside", "unique",
		"required", "required inside", "null", "null inside", "type", "range", "unknown",
	} {
		if got[want] == 0 {
			t.Errorf("there is no neighbour of %s", want)
		}
	}
}

// A rule that is lost where requests are judged is caught, of whatever kind.
func TestALostRuleIsCaught(t *testing.T) { //nolint:paralleltest // it changes what Rules says
	for _, o := range oaths { //nolint:paralleltest // same
		t.Run(o.name, func(t *testing.T) {
			whole := ashlartest.NewFactory[everything](t) // knows all
			without = o.name
			defer func() { without = "" }()
			said := failures(t, func(tb testing.TB) {
				whole.With(tb).Hold(openEverything(tb), "everything.take")
			})
			caught := strings.Contains(said, "everything.take accepts what is")
			if want := o.name != "Validate"; caught != want {
				t.Errorf("it is caught: %t\n%s", caught, said)
			}
		})
	}
}

// Rules of what the path and the query hold are held too.
func TestNeighboursOfTexts(t *testing.T) {
	t.Parallel()
	app := ashlartest.Open(t)
	app.Mount(ashlar.Module{Name: "texts", Operations: []op.Operation{
		op.Query("texts.get", "GET /texts/{id}", func(context.Context, asked) (asked, error) { return asked{ID: "abc"}, nil }, op.Allow(read)),
	}})
	ann := app.As("ann", read)
	for _, o := range app.Operations() {
		f := ashlartest.ForOperation(t, o, nil)
		f.Hold(ann, o.Spec().Name)
		for range 100 {
			ashlartest.Call[asked](ann, o.Spec().Name, f.Make()).OK()
		}
	}
}

type asked struct {
	ID    string     `json:"id"`
	Limit int        `json:"limit,omitzero"`
	Since string     `json:"since,omitzero"`
	Tags  []string   `json:"tags,omitempty"`
	On    bool       `json:"on,omitzero"`
	At    *time.Time `json:"at"`
}

func (a *asked) Rules(r *rule.Set) {
	rule.Text(r, &a.ID).Match(`^[a-z]+$`).Len(3, 30)
	rule.Number(r, &a.Limit).Between(1, 100)
	rule.Text(r, &a.Since).Format(rule.Date)
	rule.Items(r, &a.Tags).Len(1, 4)
}
