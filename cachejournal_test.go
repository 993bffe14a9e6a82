package ashlar_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar"
	"github.com/ashlar-go/ashlar/ashlartest"
	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/internal/backing"
)

// Two instances on one database: what one has written the other has at once, or
// within a second where nothing tells it to look.
func TestInstancesInvalidateEachOthersAnswers(t *testing.T) {
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
			for i := range apps {
				apps[i] = ashlartest.Open(t, "DATABASE_URL", where)
				all[i] = &pages{db: apps[i].DB}
				apps[i].Mount(all[i].module())
				clients[i] = apps[i].As("ann", readPages, writePages)
				apps[i].Migrate()
				running.Go(func() { apps[i].Cache.Run(ctx) })
				running.Go(func() { apps[i].Events.Run(ctx) })
			}
			defer running.Wait()
			defer stop()
			for i := range apps {
				eventually(t, "the journal is followed", func() bool { return apps[i].Cache.Stats().Resets > 0 })
				readPage(clients[i], "pages.get", pageID{"a"}).OK()
			}

			var took []time.Duration
			for n := range 5 {
				text := string(rune('A' + n))
				readPage(clients[n%2], "pages.put", page{"a", text}).OK()
				began := time.Now()
				if got := readPage(clients[n%2], "pages.get", pageID{"a"}).OK(); got.Text != text {
					t.Errorf("who wrote %q reads %q", text, got.Text)
				}
				eventually(t, "the other instance has it", func() bool {
					return readPage(clients[1-n%2], "pages.get", pageID{"a"}).OK().Text == text
				})
				took = append(took, time.Since(began))
			}
			fastest(t, took, 5*time.Second)
			late := apps[0].Cache.Stats().Late + apps[1].Cache.Stats().Late // of a busy machine
			if reads := all[0].reads.Load() + all[1].reads.Load() - late; reads > 2+5*4 {
				t.Errorf("%d reads for five changes", reads)
			}

			// A process dies between its commit and everything else.
			_, err := db.InTx(ctx, apps[0].DB, func(tx *db.Tx) (struct{}, error) {
				if _, err := tx.Exec(ctx, `UPDATE pages SET text = 'last' WHERE id = 'a'`); err != nil {
					return struct{}{}, err
				}
				return struct{}{}, ashlar.NoteInvalidation(ctx, apps[0].App, tx, "page/a")
			})
			if err != nil {
				t.Fatal(err)
			}
			for i := range clients {
				eventually(t, "both have it", func() bool { return readPage(clients[i], "pages.get", pageID{"a"}).OK().Text == "last" })
			}
		})
	}
}
