package payment

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/examples/payments/internal/money"
	"github.com/ashlar-go/ashlar/op"
)

// many is how many payments there are, most of them captured, in euros and of
// one merchant.
const many = 20_000

// fill writes them, a second apart. PostgreSQL counts what it has by itself, and
// is told to do so now; SQLite never does.
func fill(t *testing.T, d *db.DB) {
	t.Helper()
	at := `STRFTIME('%Y-%m-%dT%H:%M:%S', 1767225600 + i, 'unixepoch') || '.000000Z'`
	if d.Dialect() == db.Postgres {
		at = `TO_TIMESTAMP(1767225600 + i)`
	}
	_, err := db.Exec(t.Context(), d, fmt.Sprintf(`
		WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
		INSERT INTO payments (`+columns+`, capture, fingerprint)
		SELECT 'pay_' || SUBSTR('0000000000' || i, -10), CASE WHEN i %% 10 < 7 THEN 'mer_1' ELSE 'mer_' || i %% 10 END,
			CASE WHEN i %% 997 < 3 THEN 'pending' WHEN i %% 997 < 8 THEN 'expired' WHEN i %% 997 < 15 THEN 'voided'
				WHEN i %% 997 < 30 THEN 'declined' WHEN i %% 997 < 60 THEN 'refunded' WHEN i %% 997 < 65 THEN 'partially_refunded'
				WHEN i %% 997 < 120 THEN 'authorized' ELSE 'captured' END,
			100, 0, 0, CASE WHEN i %% 1009 < 2 THEN 'JPY' WHEN i %% 1009 < 60 THEN 'GBP' WHEN i %% 1009 < 200 THEN 'USD' ELSE 'EUR' END,
			'{}', 'order', '', '{}', '', %s, %[2]s, 1, false, ''
		FROM n`, many, at))
	if err == nil && d.Dialect() == db.Postgres {
		_, err = db.Exec(t.Context(), d, `ANALYZE payments`)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// filters are all combinations of those that a list can have.
func filters() []List {
	var all []List
	for _, status := range []Status{"", Captured, Expired} {
		for _, currency := range []money.Currency{"", money.EUR, money.JPY} {
			for _, bounds := range [][2]int{{}, {many / 4, 0}, {0, many / 2}, {many / 4, many / 2}} {
				in := List{Status: status, Currency: currency}
				if bounds[0] > 0 {
					in.CreatedAfter = second(bounds[0])
				}
				if bounds[1] > 0 {
					in.CreatedBefore = second(bounds[1])
				}
				all = append(all, in)
			}
		}
	}
	return all
}

// second is when a payment of fill was made.
func second(i int) time.Time { return time.Unix(int64(1767225600+i), 0).UTC() }

// TestListsReadAnIndex: whatever a list is confined to, and wherever its page
// begins, the database reads little more than the page.
func TestListsReadAnIndex(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, d *db.DB) {
		fill(t, d)
		for _, scope := range []string{"", "mer_1", "mer_9", "mer_none"} {
			for _, in := range filters() {
				deep := in
				deep.Cursor = op.NewCursor(position{second(many / 3), "pay_0000006666"}.key())
				for _, in := range []List{in, deep} {
					name := fmt.Sprintf("scope %q, %+v", scope, in)
					from, err := in.start()
					if err != nil {
						t.Fatal(err)
					}
					text, args := in.query(d.Dialect(), scope, from)
					if d.Dialect() == db.Postgres {
						explainPostgres(t, d, name, text, args, in.Size()+1)
					} else {
						explainSQLite(t, d, name, text, args)
					}
				}
			}
		}
	})
}

func explainSQLite(t *testing.T, d *db.DB, name, text string, args []any) {
	t.Helper()
	type line struct {
		ID, Parent int64
		Unused     int64 `db:"notused"`
		Detail     string
	}
	plan, err := db.All[line](t.Context(), d, `EXPLAIN QUERY PLAN `+text, args...)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range plan {
		if strings.HasPrefix(l.Detail, "SCAN payments") || strings.Contains(l.Detail, "TEMP B-TREE") {
			t.Errorf("%s: %+v", name, plan)
			return
		}
	}
}

// node is one of a plan of PostgreSQL, with what it did.
type node struct {
	Type    string  `json:"Node Type"`
	Index   string  `json:"Index Name"`
	Rows    float64 `json:"Actual Rows"`
	Removed float64 `json:"Rows Removed by Filter"`
	Plans   []node
}

func explainPostgres(t *testing.T, d *db.DB, name, text string, args []any, page int) {
	t.Helper()
	explained, err := db.One[json.RawMessage](t.Context(), d, `EXPLAIN (ANALYZE, FORMAT JSON) `+text, args...)
	if err != nil {
		t.Fatal(err)
	}
	var plans []struct{ Plan node }
	if err := json.Unmarshal(explained, &plans); err != nil || len(plans) != 1 {
		t.Fatalf("%v in %s", err, explained)
	}
	var visit func(n node)
	visit = func(n node) {
		switch {
		case n.Type == "Seq Scan":
			t.Errorf("%s: reads all payments:\n%s", name, explained)
		case strings.HasSuffix(n.Type, "Sort") && n.Rows > float64(page):
			t.Errorf("%s: sorts %v payments:\n%s", name, n.Rows, explained)
		case n.Removed > float64(30*page):
			t.Errorf("%s: reads %v payments that are not wanted:\n%s", name, n.Removed, explained)
		}
		for _, child := range n.Plans {
			visit(child)
		}
	}
	visit(plans[0].Plan)
}

// TestEveryFilterFindsTheSame as looking at each payment does, page by page.
func TestEveryFilterFindsTheSame(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, d *db.DB) {
		fill(t, d)
		all, err := db.All[Payment](t.Context(), d, `SELECT `+columns+` FROM payments WHERE status <> 'pending' ORDER BY created_at DESC`)
		if err != nil {
			t.Fatal(err)
		}
		s := New(Config{DB: d})
		for _, scope := range []string{"", "mer_9"} {
			ctx := within(t, scope)
			for i, in := range filters() {
				in.Limit = []int{13, 97}[i%2]
				var want, got []string
				for _, p := range all {
					if (scope == "" || p.MerchantID == scope) && (in.Status == "" || p.Status == in.Status) &&
						(in.Currency == "" || p.Currency == in.Currency) && p.CreatedAt.After(in.CreatedAfter) &&
						(in.CreatedBefore.IsZero() || p.CreatedAt.Before(in.CreatedBefore)) && len(want) < 3*in.Limit {
						want = append(want, p.ID)
					}
				}
				name := fmt.Sprintf("scope %q, %+v", scope, in)
				for more := true; more && len(got) < 3*in.Limit; {
					page, err := s.List(ctx, in)
					if err != nil {
						t.Fatal(err)
					}
					for _, p := range page.Data {
						got = append(got, p.ID)
					}
					if more = page.HasMore; more {
						in.Cursor = *page.NextCursor
					}
				}
				if strings.Join(got, " ") != strings.Join(want, " ") {
					t.Errorf("%s: %d payments, want %d:\n%v\n%v", name, len(got), len(want), got, want)
				}
			}
		}
	})
}
