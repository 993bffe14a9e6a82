package openapi_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/ashlar-go/ashlar/internal/codec"
	"github.com/ashlar-go/ashlar/op"
	"github.com/ashlar-go/ashlar/openapi"
	"github.com/ashlar-go/ashlar/rule"
)

// everything has a member for each kind and each constraint.
type everything struct {
	Bool     bool                      `json:"bool"`
	Int      int                       `json:"int"`
	Int8     int8                      `json:"int8,omitzero"`
	Int16    int16                     `json:"int16,omitzero"`
	Int32    int32                     `json:"int32,omitzero"`
	Uint8    uint8                     `json:"uint8,omitzero"`
	Uint64   uint64                    `json:"uint64,omitzero"`
	Least    int64                     `json:"least,omitzero"`
	Most     uint32                    `json:"most,omitzero"`
	Level    int                       `json:"level,omitzero"`
	Mask     uint8                     `json:"mask,omitzero"`
	Float    float64                   `json:"float,omitzero"`
	Rate     float32                   `json:"rate,omitzero"`
	Text     string                    `json:"text"`
	Short    string                    `json:"short,omitzero"`
	Lines    string                    `json:"lines,omitzero"`
	Raw      string                    `json:"raw,omitzero"`
	Code     string                    `json:"code,omitzero"`
	Dot      string                    `json:"dot,omitzero"`
	Secret   string                    `json:"secret,omitzero"`
	Email    string                    `json:"email,omitzero"`
	UUID     string                    `json:"uuid,omitzero"`
	Date     string                    `json:"date,omitzero"`
	DateTime string                    `json:"date_time,omitzero"`
	URI      string                    `json:"uri,omitzero"`
	Hostname string                    `json:"hostname,omitzero"`
	IPv4     string                    `json:"ipv4,omitzero"`
	IPv6     string                    `json:"ipv6,omitzero"`
	Currency Currency                  `json:"currency"`
	Maybe    *Currency                 `json:"maybe"`
	Patch    rule.Optional[Currency]   `json:"patch"`
	Time     time.Time                 `json:"time"`
	Bytes    []byte                    `json:"bytes,omitzero"`
	Six      []byte                    `json:"six,omitzero"`
	List     []int8                    `json:"list"`
	Unique   []string                  `json:"unique,omitzero"`
	Pointers []*Card                   `json:"pointers,omitzero"`
	Grid     [][]Currency              `json:"grid,omitzero"`
	Map      map[string]int            `json:"map,omitzero"`
	Bounded  map[Tag]*Card             `json:"bounded,omitzero"`
	Prices   map[Currency]uint16       `json:"prices,omitzero"`
	Card     Card                      `json:"card"`
	NoCard   *Card                     `json:"no_card"`
	Swap     rule.Optional[Card]       `json:"swap"`
	Tree     *tree                     `json:"tree"`
	Address  netip.Addr                `json:"address,omitzero"`
	Inline   struct{ A, B *int }       `json:"inline,omitzero"`
	Text2    rule.Optional[string]     `json:"text2"`
	Deep     map[string]map[string]Tag `json:"deep,omitzero"`
	base
}

type base struct {
	Base string `json:"base,omitzero"`
}

func (b *base) Rules(r *rule.Set) { rule.Text(r, &b.Base).Len(0, 3) }

type tree struct {
	Name string  `json:"name"`
	Left *tree   `json:"left"`
	Kids []*tree `json:"kids,omitzero"`
}

func (t *tree) Rules(r *rule.Set) {
	rule.Text(r, &t.Name).Len(1, 4)
	rule.Items(r, &t.Kids).Len(0, 2)
}

func (e *everything) Rules(r *rule.Set) {
	rule.Number(r, &e.Int8).Between(-3, 3)
	rule.Number(r, &e.Least).Min(-7)
	rule.Number(r, &e.Most).Max(1000)
	rule.OneOf(r, &e.Level, -1, 0, 2)
	rule.OneOf(r, &e.Mask, 1, 2, 4)
	rule.Number(r, &e.Float).Between(-0.5, 12.25)
	rule.Number(r, &e.Rate).Min(0)
	rule.Text(r, &e.Text).Len(2, 5)
	rule.Text(r, &e.Short).Len(0, 0)
	rule.Text(r, &e.Lines).Len(1, 6).Multiline()
	rule.Text(r, &e.Raw).Len(0, 6).Raw()
	rule.Text(r, &e.Code).Match(`^[A-Z]{2}-\d+$`).Match(`^[A-Z]{2}-[0-9]+$`)
	rule.Text(r, &e.Dot).Match(`^.x$`)
	rule.Text(r, &e.Secret).Len(1, 9).Secret()
	rule.Text(r, &e.Email).Format(rule.Email)
	rule.Text(r, &e.UUID).Format(rule.UUID)
	rule.Text(r, &e.Date).Format(rule.Date)
	rule.Text(r, &e.DateTime).Format(rule.DateTime)
	rule.Text(r, &e.URI).Format(rule.URI)
	rule.Text(r, &e.Hostname).Format(rule.Hostname)
	rule.Text(r, &e.IPv4).Format(rule.IPv4)
	rule.Text(r, &e.IPv6).Format(rule.IPv6)
	rule.Items(r, &e.Six).Len(3, 6)
	rule.Items(r, &e.List).Len(1, 4)
	rule.Items(r, &e.Unique).Len(0, 4).Unique()
	rule.Entries(r, &e.Bounded).Len(1, 3)
	rule.Entries(r, &e.Map).Len(0, 2)
}

// verdicts reads bodies with the schema and with the decoder.
type verdicts struct {
	schema  *jsonschema.Schema
	decoder *codec.Decoder
	of      reflect.Type
}

func verdictsOn[In any](t *testing.T) verdicts {
	t.Helper()
	o := op.Command("things.make", "POST /things", answer[In, struct{}], op.Public())
	doc, err := openapi.Document(openapi.Info{Title: "Proof"}, []op.Operation{o})
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(doc))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	compiler.AssertFormat()
	// The library asks net/url, which reads what RFC 3986 does not allow. The
	// rule's own formats are held to the official suite in package rule.
	compiler.RegisterFormat(&jsonschema.Format{Name: "uri", Validate: func(v any) error {
		if text, ok := v.(string); ok && !rule.URI.Valid(text) {
			return errors.New("is no URI")
		}
		return nil
	}})
	if err := compiler.AddResource("doc.json", parsed); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("doc.json#/paths/~1things/post/requestBody/content/application~1json/schema")
	if err != nil {
		t.Fatal(err)
	}
	decoder, err := codec.CompileDecoder(o.Spec().In)
	if err != nil {
		t.Fatal(err)
	}
	return verdicts{schema, decoder, reflect.TypeFor[In]()}
}

// on returns why the schema and the decoder refuse the body, or nil.
func (v verdicts) on(t *testing.T, body string) (bySchema, byDecoder error) {
	t.Helper()
	parsed, err := jsonschema.UnmarshalJSON(strings.NewReader(body))
	if err != nil {
		bySchema = err
	} else {
		bySchema = v.schema.Validate(parsed)
	}
	return bySchema, v.decoder.Decode([]byte(body), reflect.New(v.of).Interface())
}

// TestTheDocumentAndTheDecoderAgree is the proof that what is published is
// what is enforced.
func TestTheDocumentAndTheDecoderAgree(t *testing.T) {
	t.Parallel()

	t.Run("everything", func(t *testing.T) { t.Parallel(); agree[everything](t) })
	t.Run("authorize", func(t *testing.T) { t.Parallel(); agree[Authorize](t) })
	t.Run("annotate", func(t *testing.T) { t.Parallel(); agree[Annotate](t) })
	t.Run("tree", func(t *testing.T) { t.Parallel(); agree[tree](t) })
}

// A list without a bound of its own has the default one, on both sides.
func TestTheDefaultBoundOfAList(t *testing.T) {
	t.Parallel()
	v := verdictsOn[struct {
		Flags []bool `json:"flags"`
	}](t)
	for n, valid := range map[int]bool{rule.DefaultMaxItems: true, rule.DefaultMaxItems + 1: false} {
		body := `{"flags":[` + strings.TrimSuffix(strings.Repeat("true,", n), ",") + `]}`
		if bySchema, byDecoder := v.on(t, body); (bySchema == nil) != valid || (byDecoder == nil) != valid {
			t.Errorf("%d items: schema: %v; decoder: %v", n, bySchema, byDecoder)
		}
	}
}

func agree[In any](t *testing.T) {
	t.Helper()
	v := verdictsOn[In](t)
	of, err := rule.Describe(v.of)
	if err != nil {
		t.Fatal(err)
	}
	const n = 5000
	b := &bodies{Rand: rand.New(rand.NewPCG(2026, 11))}
	accepted, refused := 0, 0
	for range n {
		body := b.next(of)
		b.Rand = rand.New(rand.NewPCG(b.Uint64(), 2))
		bySchema, byDecoder := v.on(t, body)
		switch {
		case (bySchema == nil) != (byDecoder == nil):
			t.Fatalf("%s\nschema: %v\ndecoder: %v", body, bySchema, byDecoder)
		case bySchema == nil:
			accepted++
		default:
			refused++
		}
	}
	t.Logf("%d accepted, %d refused", accepted, refused)
	if accepted < n/10 || refused < n/10 {
		t.Errorf("%d accepted and %d refused: too one-sided to prove anything", accepted, refused)
	}
}

// TestWhatJSONSchemaCannotSay lists the bodies on which the document and the
// decoder do not agree: all are refused by the decoder alone.
func TestWhatJSONSchemaCannotSay(t *testing.T) {
	t.Parallel()

	type numbers struct {
		Int    int64     `json:"int,omitzero"`
		Float  float32   `json:"float,omitzero"`
		Double float64   `json:"double,omitzero"`
		Time   time.Time `json:"time,omitzero"`
		Bytes  limited   `json:"bytes,omitzero"`
		Self   ownJSON   `json:"self,omitzero"`
		Range  interval  `json:"range,omitzero"`
		Free   any       `json:"free,omitzero"`
	}
	v := verdictsOn[numbers](t)
	for body, reason := range map[string]string{
		`{"int":1.0}`:                          "JSON Schema counts a number without a fraction as an integer, however it is written",
		`{"int":1e2}`:                          "the same",
		`{"int":1,"int":1}`:                    "a schema sees the members after the parser has dropped one",
		`{"double":1e999}`:                     "JSON numbers have no bounds, floats have",
		`{"float":1e39}`:                       "the same",
		`{"time":"1998-12-31T23:59:60Z"}`:      "RFC 3339 has leap seconds, time.Time has none",
		`{"time":"2026-11-22t17:00:00z"}`:      "RFC 3339 allows lower case, time.Time does not read it",
		`{"time":"9999-12-31T23:59:59-01:00"}`: "RFC 3339 has no year 10000, in which this moment is in UTC",
		`{"bytes":"AAAAAAAA"}`:                 "JSON Schema counts the characters of base64, three bytes at a time",
		`{"self":"anything"}`:                  "a type that reads its own JSON decides for itself",
		`{"range":{"from":2,"to":1}}`:          "Validate methods know what is true of two members",
		`{"free":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`: "a schema does not count how deep values are nested",
	} {
		bySchema, byDecoder := v.on(t, body)
		if bySchema != nil || byDecoder == nil {
			t.Errorf("%s is no exception (%s):\nschema: %v\ndecoder: %v", body, reason, bySchema, byDecoder)
		}
	}
}

type limited []byte

func (l *limited) Rules(r *rule.Set) { rule.Items(r, l).Len(0, 4) }

type ownJSON struct{}

func (*ownJSON) UnmarshalJSON([]byte) error { return errors.New("refused") }

type interval struct {
	From int `json:"from"`
	To   int `json:"to"`
}

func (i interval) Validate() error {
	if i.To < i.From {
		return errors.New("backwards")
	}
	return nil
}
