package torture

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/ashlar-go/ashlar/db"
)

// A promise is one of the rules that no fault may break, and how it fared.
type promise struct {
	rule    string
	checked int
	unit    string
	broken  []string
}

func (p *promise) broke(format string, args ...any) {
	p.broken = append(p.broken, fmt.Sprintf(format, args...))
}

// An audit holds what clients were told against the books.
type audit struct {
	books    *db.DB // the database itself, past every proxy
	shop     *shop  // of somebody who may see everything
	buyers   []*buyer
	history  *history
	receiver *receiver
	promises []*promise
}

func (a *audit) promise(rule, unit string) *promise {
	p := &promise{rule: rule, unit: unit}
	a.promises = append(a.promises, p)
	return p
}

// A row is a payment as it is in the books.
type row struct {
	ID, Reference, Status, Currency string
	Amount                          int64
	Captured                        int64 `db:"captured_amount"`
	Refunded                        int64 `db:"refunded_amount"`
	Version                         int64
}

// run checks everything. Its error says that something could not be checked.
func (a *audit) run(ctx context.Context) error {
	rows, err := db.All[row](ctx, a.books, `
		SELECT id, reference, status, currency, amount, captured_amount, refunded_amount, version FROM payments WHERE reference LIKE 'buyer-%'`)
	if err != nil {
		return fmt.Errorf("read the payments: %w", err)
	}
	events, err := a.events(ctx)
	if err != nil {
		return err
	}
	a.payments(rows)
	for _, check := range []func(context.Context, []row) error{a.refunds, a.movements} {
		if err := check(ctx, rows); err != nil {
			return err
		}
	}
	if err := a.ledger(ctx); err != nil {
		return err
	}
	a.published(rows, events)
	if a.receiver != nil {
		a.delivered(rows, events)
	}
	a.keys()
	a.seen()
	return nil
}

// payments holds the clients' knowledge against the table.
func (a *audit) payments(rows []row) {
	once := a.promise("an acknowledged payment exists exactly once", "payments")
	kept := a.promise("an acknowledged change is never lost, and none is made twice", "changes")
	byReference := map[string][]row{}
	for _, r := range rows {
		byReference[r.Reference] = append(byReference[r.Reference], r)
	}
	for _, b := range a.buyers {
		for _, p := range b.known {
			found := byReference[p.Reference]
			delete(byReference, p.Reference)
			once.checked++
			switch {
			case p.id == "" && len(found) == 0: // it was never begun
				once.checked--
				continue
			case p.id == "":
				once.broke("%s is in the books, and its client never learned what became of it", p.Reference)
				continue
			case len(found) != 1:
				once.broke("%s (%s) is in the books %d times", p.Reference, p.id, len(found))
				continue
			case found[0].ID != p.id:
				once.broke("%s is %s to its client and %s in the books", p.Reference, p.id, found[0].ID)
				continue
			}
			r := found[0]
			if p.decline {
				if r.Status != "declined" {
					once.broke("%s was declined to its client and is %s", p.id, r.Status)
				}
				continue
			}
			kept.checked += int(p.last.Version)
			if got := (payment{r.ID, r.Status, r.Amount, r.Captured, r.Refunded, r.Currency, r.Reference, r.Version}); got != p.last {
				kept.broke("%s: the client knows %+v, the books have %+v", p.id, p.last, got)
			}
		}
	}
	for reference := range byReference {
		once.broke("%s is in the books, and nobody asked for it", reference)
	}
}

func (a *audit) refunds(ctx context.Context, _ []row) error {
	kept := a.promise("a refund that was acknowledged exists exactly once", "refunds")
	type refund struct {
		ID        string
		PaymentID string `db:"payment_id"`
	}
	all, err := db.All[refund](ctx, a.books, `SELECT id, payment_id FROM refunds`)
	if err != nil {
		return fmt.Errorf("read the refunds: %w", err)
	}
	of := map[string][]string{}
	for _, r := range all {
		of[r.PaymentID] = append(of[r.PaymentID], r.ID)
	}
	for _, b := range a.buyers {
		for _, p := range b.known {
			got := of[p.id]
			slices.Sort(got)
			slices.Sort(p.refunds)
			kept.checked += len(p.refunds)
			if !slices.Equal(got, p.refunds) {
				kept.broke("%s: the client knows the refunds %v, the books have %v", p.id, p.refunds, got)
			}
		}
	}
	return nil
}

// movements derives from each payment's state what must have moved, and holds
// the entries against it.
func (a *audit) movements(ctx context.Context, rows []row) error {
	once := a.promise("no money moves twice: entries are what each payment's state says", "payments")
	type sum struct {
		PaymentID string `db:"payment_id"`
		Account   string
		Amount    int64
	}
	sums, err := db.All[sum](ctx, a.books, `
		SELECT payment_id, account, CAST(SUM(amount) AS BIGINT) AS amount FROM ledger_entries GROUP BY payment_id, account`)
	if err != nil {
		return fmt.Errorf("read the entries: %w", err)
	}
	moved := map[string]map[string]int64{}
	for _, s := range sums {
		if moved[s.PaymentID] == nil {
			moved[s.PaymentID] = map[string]int64{}
		}
		moved[s.PaymentID][s.Account] = s.Amount
	}
	for _, r := range rows {
		once.checked++
		var hold int64
		if r.Status == "authorized" {
			hold = r.Amount
		}
		taken := r.Captured - r.Refunded
		want := map[string]int64{"authorized": hold, "held": -hold, "receivable": taken, "payable": -taken}
		for account, amount := range want {
			if got := moved[r.ID][account]; got != amount {
				once.broke("%s is %s, and %s has %d of it, not %d", r.ID, r.Status, account, got, amount)
			}
		}
	}
	return nil
}

func (a *audit) ledger(ctx context.Context) error {
	zero := a.promise("the ledger of every currency sums to zero, and balances are sums of entries", "currencies")
	type total struct {
		Currency         string
		Entries, Balance int64
	}
	totals, err := db.All[total](ctx, a.books, `
		SELECT currency,
			CAST((SELECT SUM(e.amount) FROM ledger_entries e WHERE e.currency = b.currency) AS BIGINT) AS entries,
			CAST(SUM(balance) AS BIGINT) AS balance
		FROM ledger_sums b GROUP BY currency`)
	if err != nil {
		return fmt.Errorf("read the balances: %w", err)
	}
	for _, t := range totals {
		zero.checked++
		if t.Entries != 0 || t.Balance != 0 {
			zero.broke("%s: the entries sum to %d, the balances to %d", t.Currency, t.Entries, t.Balance)
		}
	}
	type difference struct {
		MerchantID string `db:"merchant_id"`
		Account    string
		Currency   string
	}
	differences, err := db.All[difference](ctx, a.books, `
		SELECT b.merchant_id, b.account, b.currency FROM ledger_sums b
		WHERE b.balance <> (SELECT COALESCE(SUM(e.amount), 0) FROM ledger_entries e
			WHERE e.merchant_id = b.merchant_id AND e.account = b.account AND e.currency = b.currency)`)
	if err != nil {
		return fmt.Errorf("compare balances with entries: %w", err)
	}
	for _, d := range differences {
		zero.broke("the %s balance of %s in %s is not the sum of its entries", d.Account, d.MerchantID, d.Currency)
	}
	if zero.checked == 0 {
		zero.broke("there is no balance at all")
	}
	return nil
}

// events reads the whole log through the API.
func (a *audit) events(ctx context.Context) ([]event, error) {
	var all []event
	for after := ""; ; {
		path := "/v1/events?limit=100"
		if after != "" {
			path += "&after=" + url.QueryEscape(after)
		}
		r := a.shop.send(ctx, http.MethodGet, path, "", nil)
		if r.status == http.StatusTooManyRequests {
			pause(ctx, pageRest)
			continue
		}
		if r.status != http.StatusOK {
			return nil, fmt.Errorf("read the events after %q: answered %d %s", after, r.status, r.code)
		}
		var feed struct {
			Data    []event
			HasMore bool `json:"has_more"`
		}
		if err := r.read(&feed); err != nil {
			return nil, err
		}
		all = append(all, feed.Data...)
		if !feed.HasMore || len(feed.Data) == 0 {
			return all, nil
		}
		after = all[len(all)-1].ID
	}
}

// published holds that each change has one event, in the order of the changes.
func (a *audit) published(rows []row, events []event) {
	once := a.promise("each change has exactly one event, in order", "events")
	versions, ids := map[string][]int64{}, map[string]bool{}
	for _, e := range events {
		if ids[e.ID] {
			once.broke("event %s is in the log twice", e.ID)
		}
		ids[e.ID] = true
		versions[e.PaymentID] = append(versions[e.PaymentID], e.Data.Version)
	}
	for _, r := range rows {
		once.checked += int(r.Version)
		if got := versions[r.ID]; !slices.Equal(got, upTo(r.Version)) {
			once.broke("%s has %d changes, and the events of versions %v", r.ID, r.Version, got)
		}
	}
}

func upTo(version int64) []int64 {
	all := make([]int64, version)
	for i := range all {
		all[i] = int64(i) + 1
	}
	return all
}

// delivered holds the webhook receiver's notes against the log.
func (a *audit) delivered(rows []row, events []event) {
	all := a.promise("each event reaches the webhook receiver at least once", "events")
	ordered := a.promise("and those of one payment in order", "deliveries")
	mine := map[string]bool{}
	for _, r := range rows {
		mine[r.ID] = true
	}
	a.receiver.mu.Lock()
	defer a.receiver.mu.Unlock()
	for _, e := range events {
		if !mine[e.PaymentID] {
			continue
		}
		all.checked++
		if !a.receiver.accepted[e.ID] {
			all.broke("event %s (%s of %s) was never accepted by the receiver", e.ID, e.Type, e.PaymentID)
		}
	}
	ordered.checked = a.receiver.arrived
	ordered.broken = a.receiver.wrong
}

// keys holds the recorded histories against the specification of keys.
func (a *audit) keys() {
	p := a.promise("idempotency keys are linearizable", "keys")
	broken, checked := linearizable(a.history.all)
	p.checked = checked
	for _, key := range broken {
		p.broke("%s", key)
	}
}

// seen collects what clients saw and never should have.
func (a *audit) seen() {
	p := a.promise("every request comes to an end, and no client sees what is wrong or too old", "requests")
	for _, b := range a.buyers {
		p.checked += b.requests
		p.broken = append(p.broken, b.wrong...)
	}
}

// table prints the promises.
func (a *audit) table() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-82s %9s %7s\n", "promise", "checked", "broken")
	for _, p := range a.promises {
		fmt.Fprintf(&b, "%-82s %9d %7d\n", p.rule+", of "+p.unit, p.checked, len(p.broken))
	}
	return b.String()
}
