package main

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	if side := os.Getenv(envSide); side != "" {
		fail(beSide(side))
		return
	}
	os.Exit(m.Run())
}

// BenchmarkHandler is the first measure for a profile or a quick look; its
// ns/op are wall clock, which a busy machine falsifies.
func BenchmarkHandler(b *testing.B) {
	for name, h := range map[string]http.Handler{"bare": bareHandler(), "ashlar": ashlarHandler()} {
		b.Run(name, func(b *testing.B) {
			p := newPost()
			b.ReportAllocs()
			b.ResetTimer()
			if err := p.serve(h, b.N); err != nil {
				b.Fatal(err)
			}
		})
	}
}

func TestTypedPostAllocatesFourTimes(t *testing.T) {
	h, p := ashlarHandler(), newPost()
	n := testing.AllocsPerRun(1000, func() {
		if err := p.serve(h, 1); err != nil {
			t.Fatal(err)
		}
	})
	if n > 4 {
		t.Errorf("a typed POST allocates %v times", n)
	}
}

func smallest(t *testing.T) options {
	return options{
		rounds: 1, cellTime: 5 * time.Second, most: 1000, count: 1000, clients: 4, starts: 1,
		parts: "handler,stack,payments,start", dir: t.TempDir(), out: filepath.Join(t.TempDir(), "results.txt"),
	}
}

// TestMeasure runs every measure once, with few requests: the figures mean
// nothing, but both sides answer as they should and the audit is passed.
func TestMeasure(t *testing.T) {
	t.Parallel()
	o := smallest(t)
	if err := measure(o, parts); err != nil {
		t.Fatal(err)
	}
	lines, err := os.ReadFile(o.out)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"Handler/bare", "Handler/ashlar", "Post/ashlar", "Authorize/bare", "Authorize/ashlar", "Idle/production"} {
		if !strings.Contains(string(lines), "\nBenchmark"+name+" 1\t") {
			t.Errorf("no line for %s in:\n%s", name, lines)
		}
	}
}

// TestConduit measures the reading of articles with few requests: both sides
// answer alike.
func TestConduit(t *testing.T) {
	t.Parallel()
	o, got := smallest(t), table{}
	o.most = 200
	if err := conduit(o, &got); err != nil {
		t.Fatal(err)
	}
	for _, cell := range []string{"Articles/bare", "Articles/ashlar", "Article/bare", "Article/ashlar"} {
		if median(got.values(cell, "req/s")) <= 0 {
			t.Errorf("no figure for %s", cell)
		}
	}
}

// TestLedger holds what the layers together allocate to no more than the bare
// handler does by itself, and has a figure for each of them.
func TestLedger(t *testing.T) {
	t.Parallel()
	o, got := smallest(t), table{}
	o.count = 2000
	if err := ledger(o, &got); err != nil {
		t.Fatal(err)
	}
	for i, l := range layers() {
		for _, call := range layerCalls {
			if values := got.values(layerMeasure(call)+"/"+layerSide(i), "allocs/op"); len(values) != 1 || values[0] < 0.5 {
				t.Errorf("%s of %q: %v", call, l.name, values)
			}
		}
	}
	whole := got.values(layerMeasure("Post")+"/"+layerSide(len(layers())-1), "allocs/op")[0]
	if bare := got.values(layerMeasure("Post")+"/"+layerSide(0), "allocs/op")[0]; whole > bare {
		t.Errorf("the whole stack allocates %.1f times, the bare handler %.1f", whole, bare)
	}
}

// TestStackAllocates holds the whole stack, from the connection to the log
// line, to six allocations more than net/http makes by itself.
func TestStackAllocates(t *testing.T) {
	t.Parallel()
	var got table
	if err := services(smallest(t), &got); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"State", "Read", "Post"} {
		bare, ours := median(got.values(name+"/bare", "allocs/op")), median(got.values(name+"/ashlar", "allocs/op"))
		if ours > bare+6.5 { // the half is for what connections and the collector allocate
			t.Errorf("%s: %.1f allocations, net/http alone %.1f", name, ours, bare)
		}
	}
}

func TestBothSidesAnswerAlike(t *testing.T) {
	t.Parallel()
	answers := map[string]string{}
	for name, h := range map[string]http.Handler{"bare": bareHandler(), "ashlar": ashlarHandler()} {
		p := newPost()
		var body bytes.Buffer
		p.body.Reset(payload)
		h.ServeHTTP(&keep{discard: &p.answer, body: &body}, p.request)
		answers[name] = strings.TrimSpace(body.String()) // encoding/json ends with a line
	}
	if answers["bare"] != answers["ashlar"] || answers["bare"] == "" {
		t.Errorf("bare answers\n%s\nashlar answers\n%s", answers["bare"], answers["ashlar"])
	}
}

// keep is a discard that keeps the body.
type keep struct {
	*discard
	body *bytes.Buffer
}

func (k *keep) Write(b []byte) (int, error) { return k.body.Write(b) }

func TestAWrongAnswerEndsTheMeasure(t *testing.T) {
	t.Parallel()
	p, err := startServer("service-ashlar", t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.stop() })
	l := smallest(t).load(time.Second)
	_, err = l.drive(p.Addr, newCall("POST", "/v1/payments", http.StatusCreated, paymentBody, "Authorization", "Bearer forged"))
	if err == nil || !strings.Contains(err.Error(), "answered 401, not 201") {
		t.Errorf("a forged token: %v", err)
	}
	_, err = l.drive(p.Addr, newCall("POST", "/v1/payments", http.StatusCreated, `{"amount":0}`, "Authorization", "Bearer "+p.Token))
	if err == nil || !strings.Contains(err.Error(), "answered 422, not 201") {
		t.Errorf("an invalid body: %v", err)
	}
}

func TestMedianAndRatio(t *testing.T) {
	t.Parallel()
	var got table
	for _, pair := range [][2]float64{{1, 2}, {3, 4}, {10, 5}} {
		got.add("M", "a", metric{pair[0], "x"})
		got.add("M", "b", metric{pair[1], "x"})
	}
	if m := median(got.values("M/a", "x")); m != 3 {
		t.Errorf("median %v", m)
	}
	if r := got.ratio("M", "a", "b", "x"); r != 0.75 {
		t.Errorf("ratio %v, want that of the middle round", r)
	}
}
