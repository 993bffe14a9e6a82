package webhook_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/trace"
	"github.com/ashlar-go/ashlar/webhook"
)

// TestAMessageIsSentAsItWasGiven: the same bytes under the same id each time,
// signed so that the owner of the secret can tell.
func TestAMessageIsSentAsItWasGiven(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d *db.DB) {
		b := setup(t, d, func(c *webhook.Config) { c.UserAgent = "Shop/2" })
		e, secret := b.endpoint()
		m := message("evt_1", "pay_1")
		m.Payload = []byte("{ \"a\" : 1,\r\n\"b\": \"\u00e9\\u0000\" }\x00\xff\n")
		ctx := trace.With(b.ctx, trace.New())
		if _, err := db.InTx(ctx, d, func(tx *db.Tx) (int, error) { return 0, b.Enqueue(ctx, tx, m) }); err != nil {
			t.Fatal(err)
		}
		b.receiver.always(503)
		for range 4 {
			b.flush()
			b.clock.advance(3 * time.Hour)
		}
		b.receiver.always(204)
		b.flush()
		b.sent("evt_1", "evt_1", "evt_1", "evt_1", "evt_1")
		var stamps []string
		for _, got := range b.receiver.got {
			if got.payload != string(m.Payload) || got.url != "https://shop.example/hooks" {
				t.Errorf("sent %q to %s", got.payload, got.url)
			}
			if kind, agent := got.header.Get("Content-Type"), got.header.Get("User-Agent"); kind != "application/json" || agent != "Shop/2" {
				t.Errorf("as %s by %s", kind, agent)
			}
			stamp := got.header.Get(webhook.HeaderTimestamp)
			stamps = append(stamps, stamp)
			v := webhook.Verifier{Secrets: []webhook.Secret{secret}, Now: func() time.Time {
				var at int64
				_, _ = fmt.Sscan(stamp, &at)
				return time.Unix(at, 0)
			}}
			if err := v.Verify(got.header, []byte(got.payload)); err != nil {
				t.Error(err)
			}
		}
		if len(slices.Compact(stamps)) != 5 {
			t.Errorf("the timestamps are %v: each attempt has its own", stamps)
		}
		delivery := b.delivery(e.ID)
		if delivery.State != webhook.Delivered || delivery.Attempts != 5 || delivery.Key != "pay_1" || delivery.Type != "payment.captured" ||
			delivery.Message != "evt_1" || !delivery.EndedAt.Equal(b.clock.now()) || !delivery.DueAt.IsZero() {
			t.Errorf("%+v", delivery)
		}
	})
}

// TestAttemptsContinueTheTrace holds P13.1: the receiver is called within the
// trace of whoever enqueued.
func TestAttemptsContinueTheTrace(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d *db.DB) {
		seen := make(chan trace.Context, 1)
		b := setup(t, d)
		b.cfg.Client = tracer{b.receiver, seen}
		b.Hooks = b.another()
		e, _ := b.endpoint()
		at := trace.New()
		ctx := trace.With(b.ctx, at)
		if _, err := db.InTx(ctx, d, func(tx *db.Tx) (int, error) { return 0, b.Enqueue(ctx, tx, message("m", "")) }); err != nil {
			t.Fatal(err)
		}
		b.step(e.ID)
		if got := <-seen; got.TraceID != at.TraceID || got.SpanID == at.SpanID {
			t.Errorf("called within %s, enqueued within %s", got.Traceparent(), at.Traceparent())
		}
	})
}

type tracer struct {
	*receiver
	seen chan trace.Context
}

func (r tracer) Do(req *http.Request) (*http.Response, error) {
	r.seen <- trace.From(req.Context())
	return r.receiver.Do(req)
}

// TestWhoGetsAMessage: endpoints of its account whose filters let it through.
func TestWhoGetsAMessage(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d *db.DB) {
		b := setup(t, d)
		for name, c := range map[string]struct {
			account string
			types   []string
			gets    bool
		}{
			"all":             {"shop-1", []string{"*"}, true},
			"exact":           {"shop-1", []string{"payment.captured"}, true},
			"group":           {"shop-1", []string{"payment.*"}, true},
			"several":         {"shop-1", []string{"refund.made", "payment.captured"}, true},
			"another-type":    {"shop-1", []string{"payment.voided"}, false},
			"another-group":   {"shop-1", []string{"pay.*"}, false},
			"the-group-alone": {"shop-1", []string{"payment"}, false},
			"below-it":        {"shop-1", []string{"payment.captured.*"}, false},
			"another-account": {"shop-2", []string{"*"}, false},
		} {
			e, _, err := b.Create(b.ctx, c.account, webhook.NewEndpoint{URL: "https://" + name + ".example/", Types: c.types})
			if err != nil {
				t.Fatal(err)
			}
			if name == "exact" {
				if _, err := b.Disable(b.ctx, "shop-1", e.ID); err != nil {
					t.Fatal(err)
				}
			}
			b.receiver.got = nil
			b.enqueue(message("m_"+name, ""))
			list, err := b.Deliveries(b.ctx, c.account, e.ID, "", 10)
			if err != nil || (len(list) == 1) != c.gets {
				t.Errorf("%s: %v, %v", name, list, err)
			}
			if err := b.Delete(b.ctx, c.account, e.ID); err != nil {
				t.Fatal(err)
			}
		}
		if n := b.count("messages"); n != 4 {
			t.Errorf("%d messages are kept, of which 4 are for somebody", n)
		}
	})
}

// TestOnlyWhatIsCommittedIsSent, and once however often it is enqueued.
func TestOnlyWhatIsCommittedIsSent(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d *db.DB) {
		b := setup(t, d)
		b.endpoint()
		_, err := db.InTx(b.ctx, d, func(tx *db.Tx) (int, error) {
			if err := b.Enqueue(b.ctx, tx, message("m0", "k")); err != nil {
				return 0, err
			}
			return 0, errNoLine
		})
		if !errors.Is(err, errNoLine) {
			t.Fatal(err)
		}
		again := message("m1", "k")
		b.enqueue(message("m1", "k"))
		again.Payload = []byte("something else")
		b.enqueue(again, message("m2", "k"), again)
		b.flush()
		b.sent("m1", "m2")
		if got := b.receiver.got[0].payload; got != `{"id":"m1"}` {
			t.Errorf("sent %s", got)
		}
		if n := b.count("lanes"); n != 0 {
			t.Errorf("%d lanes are left", n)
		}
	})
}

func TestMessagesAreBounded(t *testing.T) {
	t.Parallel()
	b := setup(t, databases["sqlite"](t), func(c *webhook.Config) { c.MaxPayload = 10 })
	e, _ := b.endpoint()
	for name, change := range map[string]func(*webhook.Message){
		"no id":            func(m *webhook.Message) { m.ID = "" },
		"an id with a dot": func(m *webhook.Message) { m.ID = "a.b" },
		"a long id":        func(m *webhook.Message) { m.ID = strings.Repeat("a", 101) },
		"a header in it":   func(m *webhook.Message) { m.ID = "a\r\nX: y" },
		"no type":          func(m *webhook.Message) { m.Type = "" },
		"a filter":         func(m *webhook.Message) { m.Type = "payment.*" },
		"a long type":      func(m *webhook.Message) { m.Type = strings.Repeat("a", 101) },
		"a long key":       func(m *webhook.Message) { m.Key = strings.Repeat("k", 201) },
		"a zero in a key":  func(m *webhook.Message) { m.Key = "a\x00" },
		"a large payload":  func(m *webhook.Message) { m.Payload = make([]byte, 11) },
	} {
		m := message("m1", "k")
		m.Payload = nil
		change(&m)
		_, err := db.InTx(b.ctx, b.db, func(tx *db.Tx) (int, error) { return 0, b.Enqueue(b.ctx, tx, m) })
		if err == nil || !strings.HasPrefix(err.Error(), "webhook: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	m := message(strings.Repeat("a", 100), strings.Repeat("ü", 100))
	m.Payload = make([]byte, 10)
	b.enqueue(m)
	m = message("empty", "")
	m.Payload = nil
	b.enqueue(m)
	b.flush()
	if n := len(b.receiver.ids()); n != 2 {
		t.Errorf("%d were sent", n)
	}
	if list, err := b.Deliveries(b.ctx, "shop-1", e.ID, "", 10); len(list) != 2 || err != nil {
		t.Errorf("%v, %v", list, err)
	}
}

func TestEndpointsAreChecked(t *testing.T) {
	t.Parallel()
	b := setup(t, databases["sqlite"](t), func(c *webhook.Config) {
		c.Types = []string{"payment.captured", "payment.voided"}
	})
	b.receiver.refuse = func(u *url.URL) error {
		if u.Hostname() == "inside.example" {
			return errors.New("10.0.0.1 is private")
		}
		return nil
	}
	good := webhook.NewEndpoint{URL: "https://shop.example/h?a=b", Types: []string{"payment.*"}, Description: "ours"}
	for name, c := range map[string]struct {
		change  func(*webhook.NewEndpoint)
		pointer string
	}{
		"no URL":               {func(n *webhook.NewEndpoint) { n.URL = "" }, "/url"},
		"no absolute URL":      {func(n *webhook.NewEndpoint) { n.URL = "/hooks" }, "/url"},
		"no URL at all":        {func(n *webhook.NewEndpoint) { n.URL = "http://[" }, "/url"},
		"without TLS":          {func(n *webhook.NewEndpoint) { n.URL = "http://shop.example/" }, "/url"},
		"a fragment":           {func(n *webhook.NewEndpoint) { n.URL += "#x" }, "/url"},
		"a long one":           {func(n *webhook.NewEndpoint) { n.URL += strings.Repeat("x", 2000) }, "/url"},
		"inside":               {func(n *webhook.NewEndpoint) { n.URL = "https://inside.example/" }, "/url"},
		"no types":             {func(n *webhook.NewEndpoint) { n.Types = nil }, "/types"},
		"too many":             {func(n *webhook.NewEndpoint) { n.Types = slices.Repeat([]string{"*"}, 51) }, "/types"},
		"no type":              {func(n *webhook.NewEndpoint) { n.Types = []string{"payment.*", ""} }, "/types"},
		"a space":              {func(n *webhook.NewEndpoint) { n.Types = []string{"payment.captured *"} }, "/types"},
		"a pattern":            {func(n *webhook.NewEndpoint) { n.Types = []string{"payment*"} }, "/types"},
		"one that nobody says": {func(n *webhook.NewEndpoint) { n.Types = []string{"payment.lost"} }, "/types"},
		"a group of none":      {func(n *webhook.NewEndpoint) { n.Types = []string{"refund.*"} }, "/types"},
		"a long description":   {func(n *webhook.NewEndpoint) { n.Description = strings.Repeat("x", 201) }, "/description"},
	} {
		n := good
		c.change(&n)
		_, _, err := b.Create(b.ctx, "shop-1", n)
		v, ok := errors.AsType[fault.Violations](err)
		if !ok || len(v) != 1 || v[0].Pointer != c.pointer || strings.Contains(err.Error(), "10.0.0.1") {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, _, err := b.Create(b.ctx, "shop-1", webhook.NewEndpoint{})
	if v, _ := errors.AsType[fault.Violations](err); len(v) != 2 {
		t.Errorf("all that is wrong is not told at once: %v", err)
	}
	e, secret, err := b.Create(b.ctx, "shop-1", good)
	if err != nil || secret.IsZero() || e.State != webhook.Enabled || e.Account != "shop-1" || !e.CreatedAt.Equal(b.clock.now()) || e.Description != "ours" {
		t.Errorf("%+v, %v", e, err)
	}
	b.cfg.AllowHTTP = true
	if _, _, err := b.another().Create(b.ctx, "shop-1", webhook.NewEndpoint{URL: "http://localhost:1234/", Types: good.Types}); err != nil {
		t.Errorf("without TLS, which is allowed: %v", err)
	}
}

func TestEndpointsAreCounted(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d *db.DB) {
		b := setup(t, d, func(c *webhook.Config) { c.MaxEndpoints = 2 })
		first, _ := b.endpoint()
		b.endpoint()
		n := webhook.NewEndpoint{URL: "https://shop.example/", Types: []string{"*"}}
		if _, _, err := b.Create(b.ctx, "shop-1", n); !errors.Is(err, webhook.ErrTooMany) {
			t.Errorf("a third one: %v", err)
		}
		if _, _, err := b.Create(b.ctx, "shop-2", n); err != nil {
			t.Errorf("one of another account: %v", err)
		}
		if err := b.Delete(b.ctx, "shop-1", first.ID); err != nil {
			t.Fatal(err)
		}
		second, _ := b.endpoint()
		list, err := b.List(b.ctx, "shop-1")
		if err != nil || len(list) != 2 || list[0].ID != second.ID || !slices.Equal(list[0].Types, []string{"*"}) {
			t.Errorf("%+v, %v", list, err)
		}

		// Staff see all of them, in pages.
		all, err := b.All(b.ctx, "", 2)
		if err != nil || len(all) != 2 || all[0].ID != second.ID || all[1].Account != "shop-2" {
			t.Errorf("%+v, %v", all, err)
		}
		rest, err := b.All(b.ctx, all[1].ID, 2)
		if err != nil || len(rest) != 1 || rest[0].ID != list[1].ID {
			t.Errorf("%+v, %v", rest, err)
		}
		if e, err := b.Find(b.ctx, second.ID); err != nil || e.ID != second.ID || e.Account != "shop-1" {
			t.Errorf("%+v, %v", e, err)
		}
		for _, id := range []string{first.ID, "wh_nothing"} {
			if _, err := b.Find(b.ctx, id); err != webhook.ErrNotFound {
				t.Errorf("%s: %v", id, err)
			}
		}
	})
}

// TestForeignAndAbsentLookAlike holds P10.3 and API1 for all that takes an
// endpoint.
func TestForeignAndAbsentLookAlike(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d *db.DB) {
		b := setup(t, d)
		foreign, _ := b.endpoint()
		b.enqueue(message("m1", ""))
		delivery := b.delivery(foreign.ID).ID
		gone, _ := b.endpoint()
		if err := b.Delete(b.ctx, "shop-1", gone.ID); err != nil {
			t.Fatal(err)
		}
		ctx := b.ctx
		for _, c := range []struct{ account, endpoint string }{{"shop-2", foreign.ID}, {"", foreign.ID}, {"shop-1", gone.ID}, {"shop-1", "wh_nothing"}} {
			for name, call := range map[string]func() error{
				"get":        func() error { _, err := b.Get(ctx, c.account, c.endpoint); return err },
				"delete":     func() error { return b.Delete(ctx, c.account, c.endpoint) },
				"rotate":     func() error { _, err := b.Rotate(ctx, c.account, c.endpoint, 0); return err },
				"enable":     func() error { _, err := b.Enable(ctx, c.account, c.endpoint); return err },
				"disable":    func() error { _, err := b.Disable(ctx, c.account, c.endpoint); return err },
				"deliveries": func() error { _, err := b.Deliveries(ctx, c.account, c.endpoint, "", 10); return err },
				"attempts":   func() error { _, err := b.Attempts(ctx, c.account, c.endpoint, delivery); return err },
				"redeliver":  func() error { _, err := b.Redeliver(ctx, c.account, c.endpoint, delivery); return err },
			} {
				if err := call(); err != webhook.ErrNotFound {
					t.Errorf("%s of %v: %v", name, c, err)
				}
			}
			if list, err := b.List(ctx, "shop-2"); len(list) != 0 || err != nil {
				t.Errorf("%v, %v", list, err)
			}
		}
		own, _ := b.endpoint()
		if list, err := b.Attempts(ctx, "shop-1", own.ID, delivery); len(list) != 0 || err != nil {
			t.Errorf("attempts of another endpoint: %v, %v", list, err)
		}
		if _, err := b.Redeliver(ctx, "shop-1", own.ID, delivery); err != webhook.ErrNoDelivery {
			t.Errorf("a delivery of another endpoint: %v", err)
		}
		b.flush() // nothing of it had an effect
		b.sent("m1")
	})
}

// TestSecretsAreSealed: what is in the database shows none, and is worth
// nothing at another endpoint or without the key.
func TestSecretsAreSealed(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d *db.DB) {
		b := setup(t, d)
		e, secret := b.endpoint()
		sealed := func() []byte {
			text, err := db.One[[]byte](b.ctx, d, `SELECT secrets FROM ashlar_webhook_endpoints WHERE id = $1`, e.ID)
			if err != nil {
				t.Fatal(err)
			}
			return text
		}
		before := sealed()
		if bytes.Contains(before, []byte(strings.TrimPrefix(secret.Reveal(), "whsec_")[:16])) {
			t.Error("the secret lies open")
		}

		// A new key in front; the old one still opens.
		newer := bytes.Repeat([]byte{7}, 32)
		b.cfg.Keys = [][]byte{newer, testKey}
		rotated := b.another()
		if _, err := rotated.Rotate(b.ctx, "shop-1", e.ID, 0); err != nil {
			t.Fatal(err)
		}
		b.cfg.Keys = [][]byte{newer}
		if _, err := b.another().Rotate(b.ctx, "shop-1", e.ID, 0); err != nil {
			t.Errorf("with the new key alone: %v", err)
		}
		if _, err := b.Rotate(b.ctx, "shop-1", e.ID, 0); err == nil || !strings.Contains(err.Error(), "not among Config.Keys") {
			t.Errorf("with the old key alone: %v", err)
		}

		// Another endpoint's row, or bits that were turned.
		other, _ := b.endpoint()
		for name, text := range map[string][]byte{"of another endpoint": before, "nothing": {}} {
			if _, err := db.Exec(b.ctx, d, `UPDATE ashlar_webhook_endpoints SET secrets = $1 WHERE id = $2`, text, other.ID); err != nil {
				t.Fatal(err)
			}
			b.enqueue(message("m_"+strings.ReplaceAll(name, " ", "_"), ""))
			if !b.step(other.ID) || len(b.receiver.ids()) != 0 {
				t.Errorf("secrets %s: it was sent", name)
			}
			b.clock.advance(time.Minute)
		}
	})
	h, err := webhook.New(webhook.Config{DB: databases["sqlite"](t), Client: &receiver{}, Keys: [][]byte{testKey}})
	if shown := fmt.Sprintf("%v %+v %#v", h, h, h); err != nil || strings.Contains(shown, "0x30, 0x31") || strings.Contains(shown, "48 49") {
		t.Errorf("the key shows, or %v", err)
	}
	for name, keys := range map[string][][]byte{"none": nil, "a short one": {testKey, testKey[:31]}} {
		d := databases["sqlite"](t)
		if _, err := webhook.New(webhook.Config{DB: d, Client: &receiver{}, Keys: keys}); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// TestRotation: for the time of overlap both secrets sign, then the new one.
func TestRotation(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d *db.DB) {
		b := setup(t, d)
		e, first := b.endpoint()
		n := 0
		signedBy := func() (by []bool) {
			t.Helper()
			n++
			b.enqueue(message(fmt.Sprint("m", n), ""))
			b.flush()
			got := b.receiver.last()
			return []bool{
				webhook.Verifier{Secrets: []webhook.Secret{first}, Now: b.clock.now}.Verify(got.header, []byte(got.payload)) == nil,
				len(strings.Fields(got.header.Get(webhook.HeaderSignature))) == 2,
			}
		}
		rotate := func(overlap time.Duration) webhook.Secret {
			t.Helper()
			s, err := b.Rotate(b.ctx, "shop-1", e.ID, overlap)
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		second := rotate(time.Hour)
		if got := signedBy(); !slices.Equal(got, []bool{true, true}) {
			t.Errorf("within the overlap: %v", got)
		}
		got := b.receiver.last()
		if err := (webhook.Verifier{Secrets: []webhook.Secret{second}, Now: b.clock.now}).Verify(got.header, []byte(got.payload)); err != nil {
			t.Error(err)
		}
		b.clock.advance(time.Hour)
		if got := signedBy(); !slices.Equal(got, []bool{false, false}) {
			t.Errorf("after the overlap: %v", got)
		}

		first = rotate(time.Hour)
		for range 5 { // only three sign at once, and the newest is among them
			first = rotate(time.Hour)
		}
		signedBy()
		if n := len(strings.Fields(b.receiver.last().header.Get(webhook.HeaderSignature))); n != 3 {
			t.Errorf("%d signatures", n)
		}
		first = rotate(0) // it was stolen
		if got := signedBy(); !slices.Equal(got, []bool{true, false}) {
			t.Errorf("without overlap: %v", got)
		}
	})
}

// TestDeletedEndpoints are sent nothing, and nothing of them is kept.
func TestDeletedEndpoints(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d *db.DB) {
		b := setup(t, d)
		e, _ := b.endpoint()
		b.receiver.always(500)
		b.enqueue(message("m1", "k"), message("m2", "k"), message("m3", ""))
		b.flush()
		c, err := b.Take(b.ctx, e.ID)
		if c != nil || err != nil {
			t.Fatal(c, err)
		}
		b.clock.advance(time.Minute)
		c, err = b.Take(b.ctx, e.ID)
		if c == nil || err != nil {
			t.Fatal(c, err)
		}
		if err := b.Delete(b.ctx, "shop-1", e.ID); err != nil {
			t.Fatal(err)
		}
		b.Send(b.ctx, b.ctx, c) // it was under way
		sent := len(b.receiver.ids())
		b.clock.advance(time.Hour)
		b.flush()
		if n := len(b.receiver.ids()); n != sent {
			t.Errorf("%d messages were sent afterwards", n-sent)
		}
		b.clock.advance(31 * 24 * time.Hour)
		if err := b.Sweep(b.ctx); err != nil {
			t.Fatal(err)
		}
		for _, table := range []string{"endpoints", "messages", "deliveries", "lanes", "attempts"} {
			if n := b.count(table); n != 0 {
				t.Errorf("%d rows of %s are left", n, table)
			}
		}
	})
}

func TestNewChecksItsConfig(t *testing.T) {
	t.Parallel()
	d := databases["sqlite"](t)
	good := webhook.Config{DB: d, Client: &receiver{}, Keys: [][]byte{testKey}}
	for name, change := range map[string]func(*webhook.Config){
		"no database":   func(c *webhook.Config) { c.DB = nil },
		"no client":     func(c *webhook.Config) { c.Client = nil },
		"a short lease": func(c *webhook.Config) { c.Timeout = time.Minute; c.Lease = time.Minute },
	} {
		c := good
		change(&c)
		if _, err := webhook.New(c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := webhook.New(good); err != nil {
		t.Error(err)
	}
	var total time.Duration
	for _, pause := range webhook.DefaultSchedule() {
		total += pause
	}
	if total < 3*24*time.Hour || total > 4*24*time.Hour {
		t.Errorf("the schedule ends after %v", total)
	}
}
