package ashlar_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/ashlartest"
	"github.com/ashlar-go/ashlar/auth"
	"github.com/ashlar-go/ashlar/internal/backing"
)

// BenchmarkOldElsewhere is for how long an instance answers with what another one
// has changed, from the answer to the change on: told by Redis, told by
// PostgreSQL, and where nobody tells it and it has to look.
func BenchmarkOldElsewhere(b *testing.B) {
	for _, c := range []struct {
		name string
		env  func(b *testing.B) []string
	}{
		{"told by Redis", func(b *testing.B) []string {
			// Its own: what another database left in it would be believed.
			return []string{"DATABASE_URL", backing.Postgres(b), "REDIS_URL", backing.RedisServer(b).URL()}
		}},
		{"told by PostgreSQL", func(b *testing.B) []string { return []string{"DATABASE_URL", backing.Postgres(b)} }},
		{"PostgreSQL behind a pooler", func(b *testing.B) []string {
			return []string{"DATABASE_URL", backing.Postgres(b), "ASHLAR_DATABASE_POOLER", "on"}
		}},
		{"SQLite", func(b *testing.B) []string { return []string{"DATABASE_URL", "sqlite:" + b.TempDir() + "/app.db"} }},
	} {
		b.Run(c.name, func(b *testing.B) {
			clients := twoThatKeep(b, c.env(b))
			took := make([]time.Duration, 0, b.N)
			for n := range b.N {
				time.Sleep(rand.N(250 * time.Millisecond)) // not in step with who looks
				text, reader := strconv.Itoa(n), clients[1-n%2]
				old := ashlartest.Call[page](reader, "pages.get", pageID{"a"}).OK().Text // kept from now on
				ashlartest.Call[page](clients[n%2], "pages.put", page{"a", text}).OK()
				began := time.Now()
				for ashlartest.Call[page](reader, "pages.get", pageID{"a"}).OK().Text == old {
					time.Sleep(time.Millisecond)
				}
				took = append(took, time.Since(began))
			}
			slices.Sort(took)
			ms := func(q float64) float64 { return float64(took[int(q*float64(len(took)-1))].Microseconds()) / 1000 }
			b.ReportMetric(0, "ns/op") // it would be that of the pauses
			b.ReportMetric(ms(0.5), "p50-ms")
			b.ReportMetric(ms(0.99), "p99-ms")
			b.ReportMetric(ms(1), "max-ms")
		})
	}
}

// twoThatKeep serves two instances that keep pages, until the benchmark ends.
func twoThatKeep(b *testing.B, env []string) (clients [2]*ashlartest.Client) {
	b.Helper()
	env = append(env, "ASHLAR_ADDR", "127.0.0.1:0", "ASHLAR_ADMIN_ADDR", "127.0.0.1:0", "ASHLAR_SIGNING_KEYS", auth.GenerateKey().Secret().Reveal())
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, len(clients))
	for i := range clients {
		app := ashlartest.Open(b, env...)
		app.Mount((&pages{db: app.DB}).module())
		app.Migrate()
		clients[i] = app.As("ann", readPages, writePages)
		go func() { served <- app.Run(ctx) }()
		for end := time.Now().Add(lost); !strings.Contains(app.Log(), `"msg":"serving"`); time.Sleep(20 * time.Millisecond) {
			if time.Now().After(end) {
				b.Fatal("it does not serve")
			}
		}
	}
	b.Cleanup(func() {
		stop()
		for range clients {
			if err := <-served; err != nil {
				b.Error(err)
			}
		}
	})
	return clients
}
