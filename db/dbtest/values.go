package dbtest

import (
	"bytes"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/db"
)

type currency string

type level uint8

const everything = `CREATE TABLE everything (
	id BIGINT PRIMARY KEY, small INTEGER, text TEXT, currency TEXT, level INTEGER,
	ratio DOUBLE PRECISION, flag BOOLEAN, data BYTEA, at TIMESTAMPTZ, document JSONB)`

func values(t *testing.T, d *db.DB) {
	exec(t, d, everything)
	type row struct {
		ID       int64
		Small    int32
		Text     string
		Currency currency
		Level    level
		Ratio    float64
		Flag     bool
		Data     []byte
		At       time.Time
	}
	elsewhere := time.FixedZone("elsewhere", -7*3600)
	for _, want := range []row{
		{ID: math.MaxInt64, Small: math.MinInt32, Text: "naïve ✓ 'quoted' $1 ?", Currency: "EUR", Level: 255, Ratio: 0.1, Flag: true, Data: []byte{0, 1, 255}, At: time.Date(2026, 2, 28, 23, 59, 59, 123456000, elsewhere)},
		{ID: math.MinInt64, Text: "", Data: []byte{}, Ratio: -math.MaxFloat64, At: time.Date(1969, 12, 31, 0, 0, 0, 1000, time.UTC)},
		{ID: 0, Text: strings.Repeat("long ", 20000), Data: bytes.Repeat([]byte{7}, 100000), Ratio: 3, At: time.Date(2000, 2, 29, 12, 0, 0, 0, time.UTC)},
	} {
		n, err := db.Exec(t.Context(), d, `INSERT INTO everything (id, small, text, currency, level, ratio, flag, data, at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
			want.ID, want.Small, want.Text, want.Currency, want.Level, want.Ratio, want.Flag, want.Data, want.At)
		if err != nil || n != 1 {
			t.Fatal(n, err)
		}
		got, err := db.One[row](t.Context(), d, `SELECT id, small, text, currency, level, ratio, flag, data, at FROM everything WHERE id = $1`, want.ID)
		if err != nil {
			t.Fatal(err)
		}
		if !got.At.Equal(want.At) || got.At.Location() != time.UTC {
			t.Errorf("time %s came back as %s", want.At, got.At)
		}
		want.At = got.At
		if !reflect.DeepEqual(got, want) {
			t.Errorf("row %d came back changed", want.ID)
		}
	}

	before, err := db.All[int64](t.Context(), d, `SELECT id FROM everything WHERE at < $1 ORDER BY at`, time.Date(2026, 1, 1, 1, 0, 0, 0, elsewhere))
	if err != nil || !reflect.DeepEqual(before, []int64{math.MinInt64, 0}) {
		t.Errorf("times must compare as instants: %v, %v", before, err)
	}
	exec(t, d, `UPDATE everything SET small = 300 WHERE id = 0`)
	if got, err := db.One[uint8](t.Context(), d, `SELECT small FROM everything WHERE id = 0`); err == nil {
		t.Errorf("300 was read into a uint8 as %d", got)
	}
	if _, err := db.Exec(t.Context(), d, `UPDATE everything SET id = $1 WHERE id = 0`, uint64(math.MaxUint64)); err == nil {
		t.Error("a uint64 beyond the column's range was written")
	}
	if _, err := db.Exec(t.Context(), d, `UPDATE everything SET text = $1`, make(chan int)); err == nil {
		t.Error("a channel was written")
	}
}

func pointers(t *testing.T, d *db.DB) {
	exec(t, d, everything)
	type row struct {
		ID       int64
		Small    *int32
		Text     *string
		Currency *currency
		Level    *level
		Ratio    *float64
		Flag     *bool
		Data     *[]byte
		At       *time.Time
		Document *map[string]int
	}
	at := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	full := row{1, new(int32(5)), new(""), new(currency("GBP")), new(level(0)), new(1.5), new(false), new([]byte("x")), &at, new(map[string]int{"a": 1})}
	for _, want := range []row{full, {ID: 2}} {
		_, err := db.Exec(t.Context(), d, `INSERT INTO everything VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
			want.ID, want.Small, want.Text, want.Currency, want.Level, want.Ratio, want.Flag, want.Data, want.At, want.Document)
		if err != nil {
			t.Fatal(err)
		}
		got, err := db.One[row](t.Context(), d, `SELECT * FROM everything WHERE id = $1`, want.ID)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
	for _, column := range []string{"small", "text", "ratio", "flag", "at"} {
		if n, err := db.One[int](t.Context(), d, `SELECT COUNT(*) FROM everything WHERE id = 2 AND `+column+` IS NULL`); err != nil || n != 1 {
			t.Errorf("nil did not become NULL in %s: %v", column, err)
		}
	}
}

func documents(t *testing.T, d *db.DB) {
	exec(t, d, `CREATE TABLE documents (id BIGINT PRIMARY KEY, labels JSONB, list JSONB, card JSONB, raw JSONB)`)
	type card struct {
		Brand string `json:"brand"`
		Last4 string `json:"last4"`
	}
	type row struct {
		ID     int
		Labels map[string]string
		List   []int
		Card   card
		Raw    json.RawMessage
	}
	want := row{1, map[string]string{"order": "7"}, []int{3, 2, 1}, card{"visa", "4242"}, json.RawMessage(`12`)}
	insert := `INSERT INTO documents VALUES ($1, $2, $3, $4, $5)`
	if _, err := db.Exec(t.Context(), d, insert, want.ID, want.Labels, want.List, want.Card, want.Raw); err != nil {
		t.Fatal(err)
	}
	got, err := db.One[row](t.Context(), d, `SELECT * FROM documents`)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	empty := row{ID: 2}
	if _, err := db.Exec(t.Context(), d, insert, empty.ID, empty.Labels, empty.List, empty.Card, empty.Raw); err != nil {
		t.Fatal(err)
	}
	got, err = db.One[row](t.Context(), d, `SELECT * FROM documents WHERE labels IS NULL AND list IS NULL AND raw IS NULL`)
	if err != nil || !reflect.DeepEqual(got, empty) {
		t.Errorf("nil maps and slices must be NULL: got %+v, %v", got, err)
	}
	exec(t, d, `UPDATE documents SET card = NULL`)
	if _, err := db.All[row](t.Context(), d, `SELECT * FROM documents`); err == nil || !strings.Contains(err.Error(), "card") {
		t.Errorf("NULL for a struct must name its column: %v", err)
	}
}

// shout is a type that converts itself both ways.
type shout string

func (s shout) Value() (driver.Value, error) { return strings.ToUpper(string(s)), nil }

func (s *shout) Scan(src any) error {
	text, ok := src.(string)
	if !ok {
		return fmt.Errorf("shout from %T", src)
	}
	*s = shout(strings.ToLower(text))
	return nil
}

func converters(t *testing.T, d *db.DB) {
	exec(t, d, `CREATE TABLE words (id BIGINT PRIMARY KEY, word TEXT, at TIMESTAMPTZ, flag BOOLEAN)`)
	type row struct {
		ID   sql.NullInt64
		Word *shout
		At   sql.Null[time.Time]
		Flag sql.NullBool
	}
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for i, want := range []row{
		{ID: sql.NullInt64{Int64: 0, Valid: true}, Word: new(shout("hello")), At: sql.Null[time.Time]{V: at, Valid: true}, Flag: sql.NullBool{Bool: true, Valid: true}},
		{ID: sql.NullInt64{Int64: 1, Valid: true}},
	} {
		if _, err := db.Exec(t.Context(), d, `INSERT INTO words VALUES ($1, $2, $3, $4)`, want.ID, want.Word, want.At, want.Flag); err != nil {
			t.Fatal(err)
		}
		got, err := db.One[row](t.Context(), d, `SELECT * FROM words WHERE id = $1`, i)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, %v, want %+v", got, err, want)
		}
	}
	if stored, err := db.One[string](t.Context(), d, `SELECT word FROM words WHERE id = 0`); err != nil || stored != "HELLO" {
		t.Errorf("stored %q, %v", stored, err)
	}
}

func scalars(t *testing.T, d *db.DB) {
	exec(t, d, everything, `INSERT INTO everything (id, text, at) VALUES (1, 'a', '2026-01-02T03:04:05.000000Z')`)
	if got, err := db.One[currency](t.Context(), d, `SELECT text FROM everything`); got != "a" || err != nil {
		t.Error(got, err)
	}
	if got, err := db.One[time.Time](t.Context(), d, `SELECT at FROM everything`); got.Year() != 2026 || err != nil {
		t.Error(got, err)
	}
	if got, err := db.One[*string](t.Context(), d, `SELECT currency FROM everything`); got != nil || err != nil {
		t.Error(got, err)
	}
	if _, err := db.One[string](t.Context(), d, `SELECT id, text FROM everything`); err == nil || !strings.Contains(err.Error(), "one column") {
		t.Errorf("two columns for a string: %v", err)
	}
	if _, err := db.One[string](t.Context(), d, `SELECT currency FROM everything`); err == nil || !strings.Contains(err.Error(), "currency") || !strings.Contains(err.Error(), "NULL") {
		t.Errorf("NULL for a string: %v", err)
	}
}

type stamps struct {
	CreatedAt time.Time
	Version   int
}

func embedded(t *testing.T, d *db.DB) {
	type row struct {
		stamps

		ID         string `db:"the_id" json:"id"`
		Name       string `json:"title,omitempty"`
		HTTPStatus string
		Version    int64  // hides the one of stamps
		Ignored    func() `db:"-"`
	}
	got, err := db.One[row](t.Context(), d, `SELECT $1 AS the_id, $2 AS title, $3 AS http_status, CAST($4 AS BIGINT) AS version`, "i", "n", "u", 3)
	if err != nil || got.ID != "i" || got.Name != "n" || got.HTTPStatus != "u" || got.Version != 3 || got.stamps.Version != 0 {
		t.Errorf("got %+v, %v", got, err)
	}
}

func oneRow(t *testing.T, d *db.DB) {
	notes(t, d)
	if _, err := db.One[int](t.Context(), d, `SELECT id FROM notes`); err != db.ErrNoRows { //nolint:errorlint // a caller may compare it too
		t.Errorf("no row: %v", err)
	}
	exec(t, d, `INSERT INTO notes VALUES (1, 'a'), (2, 'b')`)
	if got, err := db.One[int](t.Context(), d, `SELECT id FROM notes`); err != db.ErrManyRows || got != 0 { //nolint:errorlint // as above
		t.Errorf("two rows: %d, %v", got, err)
	}
}

func allRows(t *testing.T, d *db.DB) {
	notes(t, d)
	got, err := db.All[string](t.Context(), d, `SELECT body FROM notes`)
	if err != nil || got == nil || len(got) != 0 {
		t.Errorf("no rows: %#v, %v", got, err)
	}
	exec(t, d, `INSERT INTO notes VALUES (1, 'a'), (2, 'b'), (3, 'c')`)
	got, err = db.All[string](t.Context(), d, `SELECT body FROM notes ORDER BY id DESC`)
	if err != nil || !reflect.DeepEqual(got, []string{"c", "b", "a"}) {
		t.Errorf("%v, %v", got, err)
	}
}

func mismatches(t *testing.T, d *db.DB) {
	notes(t, d)
	exec(t, d, `INSERT INTO notes VALUES (1, 'a')`)
	type short struct{ ID int }
	type wrong struct {
		ID   int
		Body int
	}
	for name, c := range map[string]struct {
		run  func() error
		says []string
	}{
		"a column without a field": {
			func() error { _, err := db.One[short](t.Context(), d, `SELECT id, body FROM notes`); return err },
			[]string{`"body"`, "short"},
		},
		"a column twice": {
			func() error { _, err := db.All[short](t.Context(), d, `SELECT id, id FROM notes`); return err },
			[]string{`"id"`, "twice", "short"},
		},
		"a text for a number": {
			func() error { _, err := db.All[wrong](t.Context(), d, `SELECT id, body FROM notes`); return err },
			[]string{"body", "wrong"},
		},
	} {
		err := c.run()
		for _, s := range c.says {
			if err == nil || !strings.Contains(err.Error(), s) {
				t.Errorf("%s: %v must contain %s", name, err, s)
			}
		}
	}
}

func placeholders(t *testing.T, d *db.DB) {
	type row struct{ A, B, C, D string }
	got, err := db.One[row](t.Context(), d, `SELECT CAST($2 AS TEXT) AS a, CAST($1 AS TEXT) AS b, -- not $3
		'it''s $4' AS c, /* $5 */ CAST($2 AS TEXT) AS "d"`, "one", "two")
	if err != nil || got != (row{"two", "one", "it's $4", "two"}) {
		t.Errorf("got %+v, %v", got, err)
	}
	twelve := make([]any, 12)
	for i := range twelve {
		twelve[i] = strconv.Itoa(i + 1)
	}
	if got, err := db.One[string](t.Context(), d, `SELECT CAST($12 AS TEXT) || CAST($11 AS TEXT) || CAST($1 AS TEXT) ||
		CAST($2 AS TEXT) || CAST($3 AS TEXT) || CAST($4 AS TEXT) || CAST($5 AS TEXT) || CAST($6 AS TEXT) ||
		CAST($7 AS TEXT) || CAST($8 AS TEXT) || CAST($9 AS TEXT) || CAST($10 AS TEXT)`, twelve...); err != nil || got != "1211"+"12345678910" {
		t.Errorf("got %q, %v", got, err)
	}
	for _, args := range [][]any{{}, {1}, {1, 2, 3}} {
		if _, err := db.One[int](t.Context(), d, `SELECT 1 WHERE CAST($1 AS BIGINT) = CAST($2 AS BIGINT)`, args...); err == nil {
			t.Errorf("%d arguments for two placeholders were accepted", len(args))
		}
	}
	if _, err := db.One[int](t.Context(), d, `SELECT ?`, 1); err == nil {
		t.Error("the placeholder ? was accepted")
	}
}

func statements(t *testing.T, d *db.DB) {
	notes(t, d)
	if _, err := db.Exec(t.Context(), d, `INSERT INTO notes VALUES ($1, 'a'); DELETE FROM notes`, 1); err == nil {
		t.Error("two statements were accepted")
	}
	if n := count(t, d, "notes"); n != 0 {
		t.Errorf("a refused text left %d rows", n)
	}
	if _, err := db.Exec(t.Context(), d, `INSERT INTO notes VALUES (1, 'a'); -- a comment may follow`); err != nil {
		t.Error(err)
	}
	if n, err := db.Exec(t.Context(), d, `UPDATE notes SET body = 'b' WHERE id = 2`); n != 0 || err != nil {
		t.Errorf("an update of nothing: %d, %v", n, err)
	}
	if n, err := db.Exec(t.Context(), d, `CREATE TABLE other (id BIGINT)`); n != 0 || err != nil {
		t.Errorf("a table: %d, %v", n, err)
	}
	for _, bad := range []string{``, `-- nothing`, `SELECT`, `SELECT * FROM nowhere`} {
		if _, err := db.All[int](t.Context(), d, bad); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}
