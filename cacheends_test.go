package ashlar_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar"
	"github.com/ashlar-go/ashlar/ashlartest"
	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/event"
	"github.com/ashlar-go/ashlar/internal/backing"
	"github.com/ashlar-go/ashlar/op"
)

// EventKey is that of a page's events.
func (p page) EventKey() string { return p.ID }

const (
	written event.Topic[page] = "page.written"
	looked  event.Topic[page] = "pages.looked" // begins like a topic of pages, and is none
)

// tell writes a page and says so, once or as often as its text is long. A text
// of "torn" rolls back.
func (p *pages) tell(ctx context.Context, in page) (page, error) {
	return db.InTx(ctx, p.db, func(tx *db.Tx) (page, error) {
		_, err := tx.Exec(ctx, `INSERT INTO pages (id, text) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET text = excluded.text`, in.ID, in.Text)
		if err == nil {
			err = written.Publish(ctx, tx, in)
		}
		if err == nil && in.Text == "torn" {
			err = errTorn
		}
		return in, err
	})
}

// look tells of something that changes no page.
func (p *pages) look(ctx context.Context, in pageID) (page, error) {
	return db.InTx(ctx, p.db, func(tx *db.Tx) (page, error) {
		return page{ID: in.ID}, errors.Join(looked.Publish(ctx, tx, page{ID: in.ID}), written.Publish(ctx, tx, page{ID: "another"}))
	})
}

func (p *pages) telling() ashlar.Module {
	m := p.module()
	m.Operations = []op.Operation{
		op.Query("pages.get", "GET /pages/{id}", p.get, op.Allow(readPages), op.Fails(errNoPage),
			op.Cache(0, op.Keep(time.Hour), op.OneForAccount(), op.Until("page.*", "{id}"))),
		op.Command("pages.tell", "PUT /pages/{id}", p.tell, op.Allow(writePages), op.Fails(errTorn)),
		op.Command("pages.look", "PATCH /pages/{id}", p.look, op.Allow(writePages)),
	}
	return m
}

// An answer is kept until an event of its key, and writes write nothing for it.
func TestEventsEndAnswers(t *testing.T) {
	t.Parallel()
	app := ashlartest.Open(t)
	all := &pages{db: app.DB}
	app.Mount(all.telling())
	ann, bob := app.As("ann", readPages, writePages), app.As("bob", readPages)
	write := func(text string) { readPage(ann, "pages.tell", page{"a", text}).OK() }
	reads := func(c *ashlartest.Client, text string, want int64) {
		t.Helper()
		if got := readPage(c, "pages.get", pageID{"a"}).OK(); got.Text != text || all.reads.Load() != want {
			t.Errorf("read %q with %d reads in all, want %q with %d", got.Text, all.reads.Load(), text, want)
		}
	}
	write("first")
	reads(ann, "first", 1)
	reads(ann, "first", 1)
	reads(bob, "first", 2) // who is of another account has an answer of his own
	write("second")
	reads(ann, "second", 3)
	reads(bob, "second", 4)
	readPage(ann, "pages.tell", page{"a", "torn"}).Fails(errTorn)
	readPage(ann, "pages.look", pageID{"a"}).OK()
	reads(ann, "second", 4)
	reads(bob, "second", 4)
	log, err := app.Events.Read(t.Context(), event.Query{})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range log.Records {
		if strings.HasPrefix(r.Topic, "ashlar.cache") {
			t.Errorf("a write left %s", r.Topic)
		}
	}
	readPage(ann, "pages.get", pageID{"none"}).Fails(errNoPage)
}

// Two instances: what one tells ends the other's answers, and not its own a
// second time.
func TestEventsEndAnswersElsewhere(t *testing.T) {
	t.Parallel()
	for name, url := range map[string]func(t *testing.T) string{
		"SQLite":     func(t *testing.T) string { return "sqlite:" + t.TempDir() + "/app.db" },
		"PostgreSQL": func(t *testing.T) string { return backing.Postgres(t) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			where := url(t)
			var apps [2]*ashlartest.App
			var all [2]*pages
			var clients [2]*ashlartest.Client
			ctx, stop := context.WithCancel(context.Background())
			var running sync.WaitGroup
			defer running.Wait()
			defer stop()
			for i := range apps {
				apps[i] = ashlartest.Open(t, "DATABASE_URL", where)
				all[i] = &pages{db: apps[i].DB}
				apps[i].Mount(all[i].telling())
				clients[i] = apps[i].As("ann", readPages, writePages)
				apps[i].Migrate()
				running.Go(func() { _ = apps[i].Cache.Run(ctx) })
				running.Go(func() { _ = apps[i].Events.Run(ctx) })
				eventually(t, "the journal is followed", func() bool { return apps[i].Cache.Stats().Resets > 0 })
			}
			const rounds = 6
			var took []time.Duration
			for n := range rounds {
				text := string(rune('A' + n))
				readPage(clients[n%2], "pages.tell", page{"a", text}).OK()
				began := time.Now()
				if got := readPage(clients[n%2], "pages.get", pageID{"a"}).OK(); got.Text != text {
					t.Errorf("who wrote %q reads %q", text, got.Text)
				}
				eventually(t, "the other instance has it", func() bool {
					return readPage(clients[1-n%2], "pages.get", pageID{"a"}).OK().Text == text
				})
				took = append(took, time.Since(began))
				// Everything of this round is known everywhere, and nothing is loaded again.
				told := time.Now()
				for i := range apps {
					eventually(t, "both know", func() bool { return apps[i].Cache.Stats().Behind < time.Since(told) })
					readPage(clients[i], "pages.get", pageID{"a"}).OK()
				}
			}
			fastest(t, took, 5*time.Second)
			late := apps[0].Cache.Stats().Late + apps[1].Cache.Stats().Late                    // of a busy machine
			if reads := all[0].reads.Load() + all[1].reads.Load() - late; reads > 2*rounds+2 { // one's own event may be read before one has taken note of it
				t.Errorf("%d reads by two instances of %d changes", reads, rounds)
			}
		})
	}
}

// What is declared twice is one topic, and too many are refused at the start.
func TestTooManyTopicsEndAnswers(t *testing.T) {
	t.Parallel()
	app := ashlartest.Open(t)
	var operations []op.Operation
	for _, a := range "abcdefghijklmnopqrstuvwxy" {
		name := string(a)
		operations = append(operations, op.Query("q."+name, "GET /"+name+"/{id}", (&pages{}).get, op.Allow(readPages), op.Fails(errNoPage),
			op.Cache(0, op.Keep(time.Hour), op.Until(name+".*", "{id}"), op.Until("all.*", "{id}"))))
	}
	app.Mount(ashlar.Module{Name: "m", Operations: operations})
	if _, err := app.App.Handler(); err == nil || !strings.Contains(err.Error(), "op.Until names 25 topics in all; 24 are the most") {
		t.Errorf("got %v", err)
	}
}
