package report_test

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/ashlar-go/ashlar/ashlartest"
	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/examples/payments/internal/card"
	"github.com/ashlar-go/ashlar/examples/payments/internal/ledger"
	"github.com/ashlar-go/ashlar/examples/payments/internal/merchant"
	"github.com/ashlar-go/ashlar/examples/payments/internal/money"
	"github.com/ashlar-go/ashlar/examples/payments/internal/network"
	"github.com/ashlar-go/ashlar/examples/payments/internal/payment"
	"github.com/ashlar-go/ashlar/examples/payments/internal/report"
	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/job"
)

const (
	shopID  = "mer_00000000000000000000000001"
	rivalID = "mer_00000000000000000000000002"
)

var (
	ask     = ashlartest.Call[report.Report]
	look    = ashlartest.Call[report.Report]
	pay     = ashlartest.Call[payment.Payment]
	refund  = ashlartest.Call[payment.Refund]
	sheet   = ashlartest.Call[ledger.Sheet]
	nothing = ashlartest.Call[struct{}]
)

// service is as much of the application as reports need, and people who use it.
type service struct {
	*ashlartest.App

	admin, shop, rival, support, auditor *ashlartest.Client
	payments                             *payment.Service
}

// open makes reports from pages of a few entries.
func open(t testing.TB, cfg report.Config, env ...string) *service {
	t.Helper()
	app := ashlartest.Open(t, append([]string{"ASHLAR_LIMIT_PRINCIPAL", "off", "ASHLAR_LIMIT_ADDRESS", "off"}, env...)...)
	app.GrantAll(merchant.RoleAdmin)
	app.Grant(merchant.RoleMerchant, payment.Read, payment.Write, payment.WriteRefunds, report.Read)
	app.Grant(merchant.RoleSupport, payment.Read)
	app.Grant(merchant.RoleAuditor, payment.Read, ledger.Read, report.Read)
	cards, merchants := network.NewSimulated(app.DB), merchant.New(app.DB)
	cfg.DB, cfg.Merchants = app.DB, merchants
	s := &service{App: app, payments: payment.New(payment.Config{
		DB: app.DB, Events: app.Events, Network: network.NewClient(cards), Merchants: merchants, FingerprintKey: []byte("key"), Lease: time.Minute,
	})}
	app.Mount(s.payments.Module())
	app.Mount(ledger.New(app.DB).Module())
	app.Mount(merchants.Module())
	app.Mount(cards.Module())
	app.Mount(report.New(cfg).Module())
	app.Migrate()
	s.admin = app.AsRole("usr_admin", "", merchant.RoleAdmin)
	s.shop = app.AsRole("usr_shop", shopID, merchant.RoleMerchant)
	s.rival = app.AsRole("usr_rival", rivalID, merchant.RoleMerchant)
	s.support = app.AsRole("usr_support", "", merchant.RoleSupport)
	s.auditor = app.AsRole("usr_auditor", "", merchant.RoleAuditor)
	s.knows(t, shopID)
	s.knows(t, rivalID)
	return s
}

func (s *service) knows(t testing.TB, id string) {
	t.Helper()
	m := merchant.Merchant{ID: id, Name: "Shop", Country: "DE", Currency: money.EUR, CreatedAt: time.Now()}
	if _, err := merchant.Add(t.Context(), s.DB, m); err != nil {
		t.Fatal(err)
	}
}

// business makes up a month of it for both merchants.
func (s *service) business(t testing.TB) {
	t.Helper()
	if _, err := db.InTx(t.Context(), s.DB, func(tx *db.Tx) (struct{}, error) {
		return struct{}{}, s.payments.Demo(t.Context(), tx, 30, shopID, rivalID)
	}); err != nil {
		t.Fatal(err)
	}
}

// recent asks for the last sixty days.
func recent(currency money.Currency) report.Request {
	at := time.Now().UTC()
	return report.Request{
		Kind: report.Settlement, Currency: currency,
		From: report.Moment(at.AddDate(0, 0, -60).Format(time.DateOnly)), To: report.Moment(at.Format(time.DateOnly)),
	}
}

// make asks for a report and waits for it.
func (s *service) make(t testing.TB, who *ashlartest.Client, in report.Request) report.Report {
	t.Helper()
	r := ask(who, "reports.create", in).OK()
	s.RunJobs(0)
	return look(who, "reports.get", report.ByID{ID: r.ID}).OK()
}

// file downloads a report.
func file(t testing.TB, who *ashlartest.Client, id, query string) (body string, header http.Header) {
	t.Helper()
	w := who.Do("GET", "/v1/reports/"+id+"/file"+query, "")
	if w.Code != http.StatusOK {
		t.Fatalf("the file answers %d %s", w.Code, w.Body)
	}
	if got := w.Header().Get("Content-Length"); got != strconv.Itoa(w.Body.Len()) {
		t.Errorf("%d bytes were announced as %s", w.Body.Len(), got)
	}
	return w.Body.String(), w.Header()
}

// statement is a CSV as somebody who reconciles reads it.
type statement struct {
	rows   []map[string]string
	net    map[money.Currency]int64 // of the entries
	totals map[money.Currency]int64 // as the file says
}

func read(t testing.TB, text string) statement {
	t.Helper()
	lines, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil || len(lines) == 0 {
		t.Fatalf("the CSV does not read: %v\n%s", err, text)
	}
	out := statement{net: map[money.Currency]int64{}, totals: map[money.Currency]int64{}}
	for _, line := range lines[1:] {
		row := map[string]string{}
		for i, name := range lines[0] {
			row[name] = line[i]
		}
		currency := money.Currency(row["currency"])
		amount, err := strconv.ParseInt(row["amount_minor"], 10, 64)
		if err != nil || row["amount"] != money.Decimal(amount, currency) {
			t.Fatalf("%v: %v", row, err)
		}
		switch {
		case row["record"] == "entry":
			if at, err := time.Parse(time.RFC3339, row["created_at"]); err != nil || !strings.HasSuffix(row["created_at"], "Z") || at.IsZero() {
				t.Errorf("%v: %v", row, err)
			}
			out.rows = append(out.rows, row)
			out.net[currency] += amount
		case row["type"] == "net":
			out.totals[currency] = amount
		}
	}
	return out
}

// payable is what the ledger says that a merchant is owed, or that all are.
func (s *service) payable(merchantID string) map[money.Currency]int64 {
	all := map[money.Currency]int64{}
	for _, b := range sheet(s.auditor, "ledger.balances", ledger.Of{MerchantID: merchantID}).OK().Data {
		if b.Account == ledger.Payable {
			all[b.Currency] = -b.Balance
		}
	}
	return all
}

// failing is a test, or a check of rapid's.
type failing interface {
	Fatalf(format string, args ...any)
}

// holds fails unless the entries of a report, its totals and the ledger agree.
func (s *service) holds(t failing, got statement, merchantID string) {
	books := s.payable(merchantID)
	if len(got.net) != len(books) || len(got.totals) != len(books) {
		t.Fatalf("entries %v, totals %v, ledger %v", got.net, got.totals, books)
	}
	for c, amount := range books {
		if got.net[c] != amount || got.totals[c] != amount {
			t.Fatalf("%s: the entries add up to %d, the total says %d, the ledger %d", c, got.net[c], got.totals[c], amount)
		}
	}
}

func TestAReportIsMadeAndDownloaded(t *testing.T) {
	t.Parallel()
	s := open(t, report.Config{PageEntries: 7})
	s.business(t)
	asked := ask(s.shop, "reports.create", recent(""))
	r := asked.OK()
	if asked.Status() != http.StatusAccepted || asked.Header("Location") != "/v1/reports/"+r.ID || r.Status != report.Queued || r.MerchantID != shopID {
		t.Errorf("%d %q %+v", asked.Status(), asked.Header("Location"), r)
	}
	if w := s.shop.Do("GET", "/v1/reports/"+r.ID+"/file", ""); w.Code != http.StatusConflict || !strings.Contains(w.Body.String(), report.ErrNotReady.Code()) {
		t.Errorf("a file that is not there answers %d %s", w.Code, w.Body)
	}
	s.RunJobs(0)
	r = look(s.shop, "reports.get", report.ByID{ID: r.ID}).OK()
	if r.Status != report.Done || r.Progress.Done == 0 || r.Progress.Done != r.Progress.Total {
		t.Fatalf("%+v", r)
	}

	text, header := file(t, s.shop, r.ID, "")
	got := read(t, text)
	if int64(len(got.rows)) != r.Progress.Done {
		t.Errorf("%d entries of %d", len(got.rows), r.Progress.Done)
	}
	s.holds(t, got, shopID)
	if strings.Contains(text, rivalID) {
		t.Error("the rival's entries are in it")
	}
	name := fmt.Sprintf("settlement-%s-%s", recent("").From, recent("").To)
	for field, want := range map[string]string{
		"Content-Type":            "text/csv; charset=utf-8; header=present",
		"Content-Disposition":     "attachment; filename=" + name + ".csv",
		"X-Content-Type-Options":  "nosniff",
		"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
	} {
		if header.Get(field) != want {
			t.Errorf("%s: %q, want %q", field, header.Get(field), want)
		}
	}
	drawn, header := file(t, s.shop, r.ID, "?format=svg")
	if header.Get("Content-Type") != "image/svg+xml" || header.Get("Content-Disposition") != "attachment; filename="+name+".svg" ||
		header.Get("Content-Security-Policy") != "default-src 'none'; frame-ancestors 'none'" || !strings.HasPrefix(drawn, "<svg ") || !strings.Contains(drawn, "EUR per day") {
		t.Errorf("%v %.80s", header, drawn)
	}
}

// TestReportsOfStaff are of all merchants, or of the one that is named.
func TestReportsOfStaff(t *testing.T) {
	t.Parallel()
	s := open(t, report.Config{PageEntries: 5})
	s.business(t)
	all := s.make(t, s.auditor, recent(""))
	text, _ := file(t, s.admin, all.ID, "?format=csv")
	s.holds(t, read(t, text), "")
	if !strings.Contains(text, shopID) || !strings.Contains(text, rivalID) || all.MerchantID != "" {
		t.Errorf("%+v", all)
	}
	in := recent(money.EUR)
	in.MerchantID = rivalID
	one := s.make(t, s.admin, in)
	text, _ = file(t, s.rival, one.ID, "")
	got := read(t, text)
	if want := s.payable(rivalID)[money.EUR]; got.totals[money.EUR] != want || len(got.totals) != 1 || strings.Contains(text, shopID) {
		t.Errorf("%v, want %d", got.totals, want)
	}
	look(s.rival, "reports.get", report.ByID{ID: all.ID}).Fails(report.ErrNotFound)
	look(s.shop, "reports.get", report.ByID{ID: one.ID}).Fails(report.ErrNotFound)
	in.MerchantID = "mer_unknown"
	ask(s.admin, "reports.create", in).Invalid("/merchant_id")
	ask(s.shop, "reports.create", in).Invalid("/merchant_id")
	ask(s.AsRole("usr_lost", "", merchant.RoleMerchant), "reports.create", recent("")).Denied()
	nothing(s.auditor, "reports.delete", report.ByID{ID: one.ID}).Fails(fault.ErrDenied)
	nothing(s.auditor, "reports.delete", report.ByID{ID: all.ID}).OK()
}

// TestForeignReportsAreNotThere for other merchants, and nobody has any without
// the permission.
func TestForeignReportsAreNotThere(t *testing.T) {
	t.Parallel()
	s := open(t, report.Config{})
	r := s.make(t, s.shop, recent(money.EUR))
	for _, id := range []string{r.ID, "rep_unknown"} {
		by := report.ByID{ID: id}
		look(s.rival, "reports.get", by).Fails(report.ErrNotFound)
		nothing(s.rival, "reports.delete", by).Fails(report.ErrNotFound)
		if w := s.rival.Do("GET", "/v1/reports/"+id+"/file", ""); w.Code != http.StatusNotFound {
			t.Errorf("the rival's download answers %d", w.Code)
		}
	}
	ask(s.support, "reports.create", recent(money.EUR)).Denied()
	look(s.support, "reports.get", report.ByID{ID: r.ID}).Denied()
	nothing(s.support, "reports.delete", report.ByID{ID: r.ID}).Denied()
	if w := s.support.Do("GET", "/v1/reports/"+r.ID+"/file", ""); w.Code != http.StatusForbidden {
		t.Errorf("support's download answers %d", w.Code)
	}
	if w := s.Anonymous().Do("GET", "/v1/reports/"+r.ID, ""); w.Code != http.StatusUnauthorized {
		t.Errorf("nobody gets %d", w.Code)
	}
	if text, _ := file(t, s.shop, r.ID, ""); len(read(t, text).rows) != 0 || !strings.Contains(text, "total,net,,,,,,,,EUR,0,0.00\r\n") {
		t.Errorf("a report of nothing is %q", text)
	}
}

func TestPeriods(t *testing.T) {
	t.Parallel()
	s := open(t, report.Config{})
	for sentence, c := range map[string]struct{ from, to, at string }{
		"the 30th of February":          {"2026-02-30", "2026-03-01", "/from"},
		"a month 13":                    {"2026-01-01", "2026-13-01", "/to"},
		"backwards":                     {"2026-03-02", "2026-03-01", "/to"},
		"no time at all":                {"2026-03-01T00:00:00Z", "2026-03-01T00:00:00Z", "/to"},
		"more than a year":              {"2024-01-01", "2025-01-01", "/to"},
		"before there were computers":   {"1900-01-01", "1900-01-02", "/from,/to"},
		"a form of its own":             {"yesterday!", "2026-03-01", "/from"},
		"a time without a zone":         {"2026-03-01T00:00:00", "2026-03-02", "/from"},
		"a zone that leads out of it":   {"9998-12-30", "9998-12-31T23:59:59-23:59", "/to"},
		"a second that is none":         {"2026-03-01T00:00:61Z", "2026-03-02", "/from"},
		"a control character, and such": {"2026-03-0\x01", "2026-03-02", "/from"},
	} {
		in := report.Request{Kind: report.Settlement, From: report.Moment(c.from), To: report.Moment(c.to)}
		t.Log(sentence)
		ask(s.shop, "reports.create", in).Invalid(strings.Split(c.at, ",")...)
	}
	for _, in := range []report.Request{
		{Kind: report.Settlement, From: "2024-01-01", To: "2024-12-31"},
		{Kind: report.Settlement, From: "2026-03-01", To: "2026-03-01"},
		{Kind: report.Settlement, From: "2026-03-01T00:00:00+02:00", To: "2026-03-01T00:00:00.001+02:00"},
	} {
		ask(s.shop, "reports.create", in).OK()
	}
	day := ask(s.shop, "reports.create", report.Request{Kind: report.Settlement, From: "2026-03-01", To: "2026-03-02"}).OK()
	if day.To.Sub(day.From) != 48*time.Hour {
		t.Errorf("two days are from %s to %s", day.From, day.To)
	}
}

// TestThePeriodIsHeldToTheInstant: an entry of its first millisecond is in it,
// one of the first behind it is not, and the next report has that.
func TestThePeriodIsHeldToTheInstant(t *testing.T) {
	t.Parallel()
	s := open(t, report.Config{PageEntries: 2})
	p := pay(s.shop, "payments.authorize", orderOf(100_00, money.EUR)).OK()
	pay(s.shop, "payments.capture", payment.ByID{ID: p.ID}).OK()
	at := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	if _, err := db.Exec(t.Context(), s.DB, `UPDATE ledger_entries SET created_at = $1`, at); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		from, to string
		want     int64
	}{
		{"2026-03-01", "2026-03-01", 100_00},
		{"2026-02-01", "2026-02-28", 0},
		{"2026-02-01", "2026-03-01T00:00:00Z", 0},
		{"2026-02-01", "2026-03-01T00:00:00.001Z", 100_00},
		{"2026-03-01T00:00:00.001Z", "2026-03-02", 0},
	} {
		r := s.make(t, s.shop, report.Request{Kind: report.Settlement, From: report.Moment(c.from), To: report.Moment(c.to), Currency: money.EUR})
		text, _ := file(t, s.shop, r.ID, "")
		if got := read(t, text).totals[money.EUR]; got != c.want {
			t.Errorf("from %s to %s: %d, want %d", c.from, c.to, got, c.want)
		}
	}
}

func orderOf(amount int64, currency money.Currency) payment.Authorize {
	return payment.Authorize{
		Amount: amount, Currency: currency, Reference: "order-1",
		Card: card.Card{Number: "4242424242424242", ExpMonth: 12, ExpYear: 2040, CVC: "123"},
	}
}

// TestReportsAgreeWithTheLedger, whatever was paid, captured and refunded.
func TestReportsAgreeWithTheLedger(t *testing.T) {
	t.Parallel()
	s := open(t, report.Config{PageEntries: 3})
	runs := 0
	rapid.Check(t, func(rt *rapid.T) {
		runs++
		id := fmt.Sprintf("mer_%d", runs)
		s.knows(t, id)
		shop := s.AsRole(fmt.Sprint("usr_", runs), id, merchant.RoleMerchant)
		for n := range rapid.IntRange(0, 6).Draw(rt, "payments") {
			amount := rapid.OneOf(rapid.Int64Range(1, 500_00), rapid.Just(money.Max)).Draw(rt, "amount")
			in := orderOf(amount, rapid.SampledFrom([]money.Currency{money.EUR, money.JPY, "KWD"}).Draw(rt, "currency"))
			in.Reference = rapid.SampledFrom([]string{"order", "=1+1", "a,b", `"`, "-5"}).Draw(rt, "reference")
			p := pay(shop.Key(fmt.Sprint(runs, "-", n)), "payments.authorize", in).OK()
			if rapid.IntRange(0, 3).Draw(rt, "captures") == 0 {
				continue
			}
			taken := rapid.Int64Range(1, amount).Draw(rt, "taken")
			pay(shop, "payments.capture", payment.Capture{ID: p.ID, Amount: taken}).OK()
			for range rapid.IntRange(0, 2).Draw(rt, "refunds") {
				refund(shop, "payments.refund", payment.Return{ID: p.ID, Amount: rapid.Int64Range(1, taken).Draw(rt, "back")})
			}
		}
		r := s.make(t, shop, recent(""))
		if r.Status != report.Done {
			rt.Fatalf("%+v", r)
		}
		text, _ := file(t, shop, r.ID, "")
		s.holds(rt, read(t, text), id)
	})
}

func TestARetriedRequestIsOneReport(t *testing.T) {
	t.Parallel()
	s := open(t, report.Config{})
	first := ask(s.shop.Key("k1"), "reports.create", recent(money.EUR)).OK()
	again := ask(s.shop.Key("k1"), "reports.create", recent(money.EUR))
	if again.OK().ID != first.ID || !again.Replayed() || again.Header("Location") != "/v1/reports/"+first.ID {
		t.Errorf("%s, then %s", first.ID, again.Body())
	}
	ask(s.shop.Key("k1"), "reports.create", recent(money.GBP)).Fails(fault.ErrKeyReused)
	if other := ask(s.shop.Key("k2"), "reports.create", recent(money.EUR)).OK(); other.ID == first.ID {
		t.Error("another key is another report")
	}
	if n, err := db.One[int](t.Context(), s.DB, `SELECT count(*) FROM ashlar_jobs WHERE queue = 'reports.make'`); n != 2 || err != nil {
		t.Errorf("%d jobs, %v", n, err)
	}
}

func TestWhatIsKeptIsBounded(t *testing.T) {
	t.Parallel()
	s := open(t, report.Config{})
	var first report.Report
	for i := range 100 {
		r := ask(s.shop, "reports.create", recent(money.EUR)).OK()
		if i == 0 {
			first = r
		}
	}
	ask(s.shop, "reports.create", recent(money.EUR)).Fails(report.ErrTooMany)
	ask(s.rival, "reports.create", recent(money.EUR)).OK()
	nothing(s.shop, "reports.delete", report.ByID{ID: first.ID}).OK()
	ask(s.shop, "reports.create", recent(money.EUR)).OK()
	look(s.shop, "reports.get", report.ByID{ID: first.ID}).Fails(report.ErrNotFound)
}

func TestAReportThatWouldBeTooLargeFails(t *testing.T) {
	t.Parallel()
	s := open(t, report.Config{MaxEntries: 10})
	s.business(t)
	r := s.make(t, s.shop, recent(""))
	if r.Status != report.Failed || r.FailureCode != report.TooLarge {
		t.Errorf("%+v", r)
	}
	if w := s.shop.Do("GET", "/v1/reports/"+r.ID+"/file", ""); w.Code != http.StatusConflict {
		t.Errorf("its file answers %d", w.Code)
	}
	day := string(report.Moment(time.Now().UTC().AddDate(0, 0, -90).Format(time.DateOnly)))
	if r := s.make(t, s.shop, report.Request{Kind: report.Settlement, From: report.Moment(day), To: report.Moment(day)}); r.Status != report.Done {
		t.Errorf("a narrower one: %+v", r)
	}
}

// TestAReportThatCannotBeMadeFails, says so without a word of the inside, and can
// be asked for again.
func TestAReportThatCannotBeMadeFails(t *testing.T) {
	t.Parallel()
	s := open(t, report.Config{PageEntries: 4})
	s.business(t)
	rename := func(from, to string) {
		t.Helper()
		if _, err := db.Exec(t.Context(), s.DB, `ALTER TABLE `+from+` RENAME TO `+to); err != nil {
			t.Fatal(err)
		}
	}
	rename("ledger_entries", "ledger_burnt")
	r := ask(s.shop, "reports.create", recent("")).OK()
	by := report.ByID{ID: r.ID}
	s.RunJobs(0)
	if got := look(s.shop, "reports.get", by).OK(); got.Status != report.Queued {
		t.Errorf("after one attempt: %+v", got)
	}
	for n := range 5 {
		s.RunJobs(time.Duration(n+1) * time.Hour)
	}
	failed := look(s.shop, "reports.get", by)
	if got := failed.OK(); got.Status != report.Failed || got.FailureCode != report.Broken || strings.Contains(failed.Body(), "ledger") {
		t.Fatalf("%s", failed.Body())
	}
	rename("ledger_burnt", "ledger_entries")
	if again := s.make(t, s.shop, recent("")); again.Status != report.Done {
		t.Errorf("asked for again: %+v", again)
	}
	// An operator may have the first one tried again, too.
	dead, err := job.List(t.Context(), s.DB, job.Filter{Queue: "reports.make", State: job.Dead})
	if err != nil || len(dead) != 1 {
		t.Fatalf("%v, %v", dead, err)
	}
	if _, err := db.InTx(t.Context(), s.DB, func(tx *db.Tx) (struct{}, error) {
		return struct{}{}, job.Retry(t.Context(), tx, dead[0].ID)
	}); err != nil {
		t.Fatal(err)
	}
	s.RunJobs(0)
	if got := look(s.shop, "reports.get", by).OK(); got.Status != report.Done || got.FailureCode != "" {
		t.Errorf("%+v", got)
	}
}

// TestAReportThatTakesTooLongFails, each attempt in its time, and says why.
func TestAReportThatTakesTooLongFails(t *testing.T) {
	t.Parallel()
	s := open(t, report.Config{Timeout: 20 * time.Millisecond})
	s.business(t)
	s.stop() // and nobody lets it go on
	by := report.ByID{ID: ask(s.shop, "reports.create", recent("")).OK().ID}
	for n := range 6 {
		s.RunJobs(time.Duration(n) * time.Hour)
	}
	if got := look(s.shop, "reports.get", by).OK(); got.Status != report.Failed || got.FailureCode != report.TimedOut {
		t.Errorf("%+v", got)
	}
}

// TestAnOperatorCanCancelAReport, and its owner sees that it will not be made.
func TestAnOperatorCanCancelAReport(t *testing.T) {
	t.Parallel()
	s := open(t, report.Config{})
	by := report.ByID{ID: ask(s.shop, "reports.create", recent("")).OK().ID}
	waiting, err := job.List(t.Context(), s.DB, job.Filter{Queue: "reports.make"})
	if err != nil || len(waiting) != 1 {
		t.Fatalf("%v, %v", waiting, err)
	}
	if _, err := db.InTx(t.Context(), s.DB, func(tx *db.Tx) (struct{}, error) {
		return struct{}{}, job.Cancel(t.Context(), tx, waiting[0].ID)
	}); err != nil {
		t.Fatal(err)
	}
	s.RunJobs(0)
	if got := look(s.shop, "reports.get", by).OK(); got.Status != report.Failed {
		t.Errorf("%+v", got)
	}
	nothing(s.shop, "reports.delete", by).OK()
}

// pages stops whoever reads a page of a report, until it is let go.
type pages struct{ stopped, next chan struct{} }

// stop has the making of reports stop after each page. The test lets it go on.
func (s *service) stop() *pages {
	p := &pages{make(chan struct{}), make(chan struct{})}
	s.DB.Watch(func(ctx context.Context, e db.Event) {
		if !strings.Contains(e.SQL, "JOIN payments AS p") {
			return
		}
		select {
		case p.stopped <- struct{}{}:
		case <-ctx.Done():
			return
		}
		select {
		case <-p.next:
		case <-ctx.Done():
		}
	})
	return p
}

// runs makes reports in the background.
func (s *service) runs(ctx context.Context, t *testing.T) (ended <-chan struct{}) {
	t.Helper()
	s.Handler()
	jobs, err := s.Jobs()
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if _, err := jobs.RunDue(ctx, 0); err != nil && ctx.Err() == nil {
			t.Error(err)
		}
	}()
	t.Cleanup(func() { <-done })
	return done
}

// TestProgressCanBeRead while the report is made, and never goes back.
func TestProgressCanBeRead(t *testing.T) {
	t.Parallel()
	s := open(t, report.Config{PageEntries: 20})
	s.business(t)
	p := s.stop()
	by := report.ByID{ID: ask(s.shop, "reports.create", recent("")).OK().ID}
	ended := s.runs(t.Context(), t)
	var last report.Progress
	seen := 0
	for range p.stopped {
		deadline := time.Now().Add(2 * time.Minute)
		got := look(s.shop, "reports.get", by).OK()
		for ; got.Progress.Total == 0 || got.Progress.Done < int64(20*seen) && got.Progress.Done < got.Progress.Total; got = look(s.shop, "reports.get", by).OK() {
			if time.Now().After(deadline) {
				t.Fatalf("page %d: %+v", seen, got)
			}
			if got.Progress.Done < last.Done {
				t.Fatalf("%+v after %+v", got.Progress, last)
			}
			last = got.Progress
			time.Sleep(2 * time.Millisecond)
		}
		if got.Status != report.Running || got.Progress.Done > got.Progress.Total {
			t.Errorf("page %d: %+v", seen, got)
		}
		pay(s.rival, "payments.authorize", orderOf(1_00, money.EUR)).OK() // others are not kept waiting
		p.next <- struct{}{}
		if got.Progress.Done == got.Progress.Total {
			break
		}
		seen++
	}
	<-ended
	if got := look(s.shop, "reports.get", by).OK(); got.Status != report.Done || got.Progress.Done != got.Progress.Total || seen < 3 {
		t.Errorf("%d pages: %+v", seen, got)
	}
}

// TestACutOffReportGoesOn where it was: what was kept is not made again, and the
// file is that of a report that was not cut off.
func TestACutOffReportGoesOn(t *testing.T) {
	t.Parallel()
	s := open(t, report.Config{PageEntries: 10}, "ASHLAR_DRAIN_TIMEOUT", "40ms")
	s.business(t)
	whole := s.make(t, s.shop, recent(""))
	want, _ := file(t, s.shop, whole.ID, "")

	p := s.stop()
	r := ask(s.shop, "reports.create", recent("")).OK()
	ctx, kill := context.WithCancel(t.Context())
	ended := s.runs(ctx, t)
	for range 3 {
		<-p.stopped
		p.next <- struct{}{}
	}
	<-p.stopped
	kill()
	<-ended
	type kept struct {
		Number  int64
		EntryID string
	}
	pieces := func() []kept {
		list, err := db.All[kept](t.Context(), s.DB, `SELECT number, entry_id FROM report_pieces WHERE report_id = $1 AND format = 'csv' ORDER BY number`, r.ID)
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	before := pieces()
	if got := look(s.shop, "reports.get", report.ByID{ID: r.ID}).OK(); got.Status != report.Queued || len(before) != 3 {
		t.Fatalf("cut off with %d pieces: %+v", len(before), got)
	}

	pagesRead := make(chan int, 1)
	go func() {
		n := 0
		for range p.stopped {
			n++
			p.next <- struct{}{}
		}
		pagesRead <- n
	}()
	s.RunJobs(0)
	close(p.stopped)
	after := pieces()
	if n := <-pagesRead; n != len(after)-len(before) { // all that were left, and an empty one in place of the totals
		t.Errorf("%d pages were read for %d new pieces", n, len(after)-len(before))
	}
	if got, _ := file(t, s.shop, r.ID, ""); got != want {
		t.Errorf("the file differs from one that was not cut off:\n%s", got)
	}
}

// TestDeletingEndsTheJob that waits, and the one that runs.
func TestDeletingEndsTheJob(t *testing.T) {
	t.Parallel()
	s := open(t, report.Config{PageEntries: 10})
	s.business(t)
	waits := ask(s.shop, "reports.create", recent("")).OK()
	nothing(s.shop, "reports.delete", report.ByID{ID: waits.ID}).OK()
	p := s.stop()
	runs := ask(s.shop, "reports.create", recent("")).OK()
	ended := s.runs(t.Context(), t)
	<-p.stopped
	p.next <- struct{}{}
	<-p.stopped
	nothing(s.shop, "reports.delete", report.ByID{ID: runs.ID}).OK()
	look(s.shop, "reports.get", report.ByID{ID: runs.ID}).Fails(report.ErrNotFound)
	select {
	case p.next <- struct{}{}:
	case <-ended: // the handler's context has ended before
	}
	<-ended
	if n, err := db.One[int](t.Context(), s.DB, `SELECT count(*) FROM report_pieces`); n != 0 || err != nil {
		t.Errorf("%d pieces are left, %v", n, err)
	}
	for _, state := range []job.State{job.Running, job.Queued, job.Dead, job.Retrying} {
		if list, err := job.List(t.Context(), s.DB, job.Filter{Queue: "reports.make", State: state}); len(list) != 0 || err != nil {
			t.Errorf("%s: %v, %v", state, list, err)
		}
	}
}

// TestAFileThatIsDeletedBreaksOff: half of it is not taken for the whole.
func TestAFileThatIsDeletedBreaksOff(t *testing.T) {
	t.Parallel()
	s := open(t, report.Config{PageEntries: 10})
	s.business(t)
	r := s.make(t, s.shop, recent(""))
	if _, err := db.Exec(t.Context(), s.DB, `DELETE FROM report_pieces WHERE report_id = $1 AND number > 2`, r.ID); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if cause := recover(); cause != http.ErrAbortHandler {
			t.Errorf("the answer ended with %v", cause)
		}
	}()
	s.shop.Do("GET", "/v1/reports/"+r.ID+"/file", "")
	t.Error("half a file is an answer")
}

// TestAFullPoolKeepsReportsWaiting and nothing else.
func TestAFullPoolKeepsReportsWaiting(t *testing.T) {
	t.Parallel()
	s := open(t, report.Config{})
	s.business(t)
	slots := s.Work.Stats().Slots
	for range slots {
		if err := s.Work.Enter(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	by := report.ByID{ID: ask(s.shop, "reports.create", recent("")).OK().ID}
	ended := s.runs(t.Context(), t)
	deadline := time.Now().Add(2 * time.Minute)
	for s.Work.Stats().Waiting == 0 {
		if time.Now().After(deadline) {
			t.Fatal("the report does not wait for a processor")
		}
		time.Sleep(time.Millisecond)
	}
	if got := look(s.shop, "reports.get", by).OK(); got.Status != report.Queued {
		t.Errorf("%+v", got)
	}
	pay(s.shop, "payments.authorize", orderOf(1_00, money.EUR)).OK()
	for range slots {
		s.Work.Leave()
	}
	<-ended
	if got := look(s.shop, "reports.get", by).OK(); got.Status != report.Done {
		t.Errorf("%+v", got)
	}
}

// TestALateEntryHasTheReportMadeAnew: what is shown agrees with the books.
func TestALateEntryHasTheReportMadeAnew(t *testing.T) {
	t.Parallel()
	s := open(t, report.Config{PageEntries: 50})
	s.business(t)
	p := s.stop()
	r := ask(s.shop, "reports.create", recent(money.EUR)).OK()
	ended := s.runs(t.Context(), t)
	<-p.stopped // the first page is read: an entry that belongs on it is committed now
	_, err := db.InTx(t.Context(), s.DB, func(tx *db.Tx) (struct{}, error) {
		id, err := db.One[string](t.Context(), tx, `SELECT min(id) FROM payments WHERE merchant_id = $1 AND currency = 'EUR'`, shopID)
		if err != nil {
			return struct{}{}, err
		}
		return struct{}{}, ledger.Post(t.Context(), tx, ledger.Subject{
			PaymentID: id, MerchantID: shopID, Currency: money.EUR, Reason: "payment.captured", At: time.Now().UTC().AddDate(0, 0, -59),
		}, ledger.Charge(77))
	})
	if err != nil {
		t.Fatal(err)
	}
	over := make(chan struct{})
	go func() {
		for {
			select {
			case p.next <- struct{}{}:
			case <-p.stopped:
			case <-over:
				return
			}
		}
	}()
	<-ended
	if got := look(s.shop, "reports.get", report.ByID{ID: r.ID}).OK(); got.Status != report.Queued {
		t.Errorf("a report that does not agree with the books: %+v", got)
	}
	s.RunJobs(time.Minute)
	close(over)
	text, _ := file(t, s.shop, r.ID, "")
	if got, want := read(t, text).totals[money.EUR], s.payable(shopID)[money.EUR]; got != want {
		t.Errorf("the total is %d, the ledger has %d", got, want)
	}
}

// TestReportsExpire, with their files.
func TestReportsExpire(t *testing.T) {
	t.Parallel()
	s := open(t, report.Config{})
	s.business(t)
	old, fresh := s.make(t, s.shop, recent("")), s.make(t, s.shop, recent(""))
	if kept := old.ExpiresAt.Sub(old.CreatedAt); kept != 7*24*time.Hour {
		t.Errorf("kept for %s", kept)
	}
	if _, err := db.Exec(t.Context(), s.DB, `UPDATE reports SET expires_at = $1 WHERE id = $2`, time.Now().Add(-time.Second), old.ID); err != nil {
		t.Fatal(err)
	}
	look(s.shop, "reports.get", report.ByID{ID: old.ID}).Fails(report.ErrNotFound)
	s.RunJobs(2 * time.Hour)
	for table, column := range map[string]string{"reports": "id", "report_pieces": "report_id"} {
		if n, err := db.One[int](t.Context(), s.DB, `SELECT count(DISTINCT `+column+`) FROM `+table); n != 1 || err != nil {
			t.Errorf("%s: %d are left, %v", table, n, err)
		}
	}
	file(t, s.shop, fresh.ID, "")
}

func TestTheAnswerIsAsItWasPublished(t *testing.T) {
	t.Parallel()
	s := open(t, report.Config{})
	var got map[string]any
	body := ask(s.shop, "reports.create", recent(money.EUR)).Body()
	if err := json.Unmarshal([]byte(body), &got); err != nil || got["id"] == nil || got["status"] != "queued" || got["kind"] != "settlement" || got["failure_code"] != nil {
		t.Errorf("%s: %v", body, err)
	}
	for body, want := range map[string]int{
		`{"kind":"profit","from":"2026-01-01","to":"2026-01-02"}`:                                              http.StatusUnprocessableEntity,
		`{"kind":"settlement","from":"2026-01-01"}`:                                                            http.StatusUnprocessableEntity,
		`{"kind":"settlement","from":"2026-01-01","to":"2026-01-02"}`:                                          http.StatusAccepted,
		`{"kind":"settlement","from":"2026-01-01T00:00:00.000Z","to":"2026-01-02T00:00:00Z","currency":"EUR"}`: http.StatusAccepted,
		`{"kind":"settlement","from":20260101,"to":"2026-01-02"}`:                                              http.StatusUnprocessableEntity,
	} {
		if w := s.shop.Do("POST", "/v1/reports", body); w.Code != want {
			t.Errorf("%s: %d %s", body, w.Code, w.Body)
		}
	}
}
