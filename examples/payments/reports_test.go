package main

import (
	"encoding/csv"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/ashlartest"
	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/examples/payments/internal/money"
	"github.com/ashlar-go/ashlar/examples/payments/internal/report"
)

var askReport = ashlartest.Call[report.Report]

// settlement asks for the last sixty days.
func settlement() report.Request {
	at := time.Now().UTC()
	return report.Request{
		Kind: report.Settlement, Currency: money.EUR,
		From: report.Moment(at.AddDate(0, 0, -60).Format(time.DateOnly)), To: report.Moment(at.Format(time.DateOnly)),
	}
}

// TestAKilledReportIsFinished kills the program while it makes a report. The next
// one goes on with it, and the file is whole.
func TestAKilledReportIsFinished(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("waits for the lease of a process that is gone")
	}
	const entries = 60_000
	dir := t.TempDir()
	p := start(t, dir)
	d := openBeside(t, dir)
	want := manyEntries(t, d, entries)
	token := p.signIn(t, "merchant")
	var r report.Report
	var before int
	for try := 1; ; try++ { // a test that is held up kills too late
		if status := p.call(http.MethodPost, "/v1/reports", token, fmt.Sprint("report-", try), settlement(), &r); status != http.StatusAccepted {
			t.Fatalf("asking for a report answers %d", status)
		}
		pieces := func() (int, error) {
			return db.One[int](t.Context(), d, `SELECT count(*) FROM report_pieces WHERE report_id = $1`, r.ID)
		}
		deadline := time.Now().Add(3 * time.Minute)
		for n, err := 0, error(nil); n < 3; n, err = pieces() {
			if err != nil || time.Now().After(deadline) {
				t.Fatalf("%d pieces are there, %v", n, err)
			}
		}
		p.kill()
		var err error
		if before, err = pieces(); err != nil {
			t.Fatal(err)
		}
		p = start(t, dir)
		token = p.signIn(t, "merchant")
		if before <= entries/1000 {
			break
		}
		if try == 5 {
			t.Fatalf("the report was done before the kill: %d pieces", before)
		}
	}
	var last report.Progress
	for deadline := time.Now().Add(5 * time.Minute); r.Status != report.Done; time.Sleep(20 * time.Millisecond) {
		if status := p.call(http.MethodGet, "/v1/reports/"+r.ID, token, "", nil, &r); status != http.StatusOK || r.Status == report.Failed || time.Now().After(deadline) {
			t.Fatalf("%d: %+v", status, r)
		}
		if r.Progress.Done < last.Done {
			t.Errorf("%+v after %+v", r.Progress, last)
		}
		last = r.Progress
	}
	t.Logf("killed with %d pieces of %d", before, entries/1000+2)
	if got := netOf(t, p, token, r.ID); got != want {
		t.Errorf("the file adds up to %d, the ledger to %d", got, want)
	}
}

// manyEntries writes captures of a merchant straight into the tables, and
// returns what the ledger owes in euros.
func manyEntries(t *testing.T, d *db.DB, n int) (owed int64) {
	t.Helper()
	owed, err := db.InTx(t.Context(), d, func(tx *db.Tx) (int64, error) {
		for _, statement := range []string{
			`INSERT INTO payments (id, merchant_id, status, amount, captured_amount, refunded_amount, currency, card, fingerprint, reference,
				description, metadata, decline_code, capture, created_at, updated_at, version)
			SELECT 'pay_bulk' || m.n, $1, 'captured', m.n, m.n, 0, 'EUR', '{"brand":"visa","last4":"4242","exp_month":1,"exp_year":2040}', '', '=bulk',
				'', '{}', '', FALSE, $2, $2, 1 FROM many AS m`,
			`INSERT INTO ledger_entries (id, payment_id, merchant_id, currency, reason, created_at, account, amount)
			SELECT 'ent_bulk' || m.n, 'pay_bulk' || m.n, $1, 'EUR', 'payment.captured', $2, 'payable', -m.n FROM many AS m`,
			`INSERT INTO ledger_balances (merchant_id, currency, account, balance)
			SELECT $1, 'EUR', 'payable', -sum(m.n) FROM many AS m WHERE $2 = $2
			ON CONFLICT (merchant_id, currency, account) DO UPDATE SET balance = ledger_balances.balance + excluded.balance`,
		} {
			with := `WITH RECURSIVE many (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM many WHERE n < ` + strconv.Itoa(n) + `) `
			at := strings.Index(statement, "SELECT")
			if _, err := db.Exec(t.Context(), tx, statement[:at]+with+statement[at:], demoShop, time.Now().Add(-time.Hour)); err != nil {
				return 0, err
			}
		}
		return db.One[int64](t.Context(), tx, `SELECT -balance FROM ledger_sums WHERE merchant_id = $1 AND currency = 'EUR' AND account = 'payable'`, demoShop)
	})
	if err != nil {
		t.Fatal(err)
	}
	return owed
}

// netOf downloads a report and adds its entries up.
func netOf(t *testing.T, p *process, token, id string) (net int64) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.url+"/v1/reports/"+id+"/file", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	w, err := p.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Body.Close()
	for lines := csv.NewReader(w.Body); ; {
		line, err := lines.Read()
		if err == io.EOF {
			return net
		}
		if err != nil {
			t.Fatal(err)
		}
		if line[0] == "entry" {
			amount, err := strconv.ParseInt(line[10], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			net += amount
		}
	}
}
