package torture

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/db/postgres"
	"github.com/ashlar-go/ashlar/internal/backing"
)

// TestManyInstances tortures instances that share a PostgreSQL and a Redis, each
// of which it reaches by a network of its own.
func TestManyInstances(t *testing.T) {
	t.Parallel()
	database, redis := backing.PostgresServer(t), backing.RedisServer(t)
	s := setting{buyers: 12, books: func() *db.DB {
		d, err := postgres.Open(t.Context(), postgres.Config{URL: database.URL()})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = d.Close() })
		return d
	}}
	keys := signingKeys(t)
	for n := range 2 {
		toDatabase, toRedis := newProxy(t, database.Addr), newProxy(t, redis.Addr)
		i := newInstance(t, fmt.Sprint("instance-", n), t.TempDir(),
			"DATABASE_URL="+through(t, database.URL(), toDatabase), "REDIS_URL="+through(t, redis.URL(), toRedis),
			"ASHLAR_SIGNING_KEYS="+keys)
		s.instances = append(s.instances, i)
		s.faults = append(s.faults, crash(i), freezing(i))
		s.faults = append(s.faults, breaks("instance to PostgreSQL", toDatabase)...)
		s.faults = append(s.faults, breaks("instance to Redis", toRedis)...)
	}
	s.faults = append(s.faults, roll(s.instances[1]))
	s.faults = append(s.faults, breaks("clients to instance", s.instances[0].way)...)
	s.faults = append(s.faults, dies("PostgreSQL", database.Kill, database.Start), dies("Redis, its data lost", redis.Kill, redis.Start))
	torture(t, s)
}

// signingKeys makes the keys that instances share.
func signingKeys(t *testing.T) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), program, "keys", "new").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// dies kills a server, and starts it again.
func dies(name string, kill, start func()) fault {
	return fault{"SIGKILL of " + name, func(_ context.Context, random *rand.Rand) error {
		kill()
		time.Sleep(between(random, 0, 500*time.Millisecond))
		start()
		return nil
	}}
}

// through is the URL of a server as it is seen from the other end of a proxy.
func through(t *testing.T, server string, p *proxy) string {
	t.Helper()
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	u.Host = p.addr()
	return u.String()
}
