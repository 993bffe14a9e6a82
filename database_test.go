package ashlar_test

import (
	"strings"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar"
	"github.com/ashlar-go/ashlar/config"
	"github.com/ashlar-go/ashlar/internal/backing"
)

// openOn opens an app on a PostgreSQL.
func openOn(t *testing.T, url, wait string) (*ashlar.App, error) {
	t.Helper()
	cfg, err := config.Load[ashlar.Config](config.Map(map[string]string{
		"DATABASE_URL": url, "ASHLAR_DATA_DIR": t.TempDir(), "ASHLAR_DATABASE_WAIT": wait,
	}))
	if err != nil {
		t.Fatal(err)
	}
	return ashlar.Open(t.Context(), cfg)
}

// P14.20: a database may start later than the app.
func TestTheStartWaitsForADatabase(t *testing.T) {
	t.Parallel()
	server := backing.PostgresServer(t)
	server.Kill()
	started := make(chan struct{})
	go func() {
		defer close(started)
		time.Sleep(500 * time.Millisecond)
		server.Start()
	}()
	app, err := openOn(t, server.URL(), "3m")
	<-started
	if err != nil {
		t.Fatal(err)
	}
	if err := app.Migrate(t.Context()); err != nil {
		t.Error(err)
	}
	if err := app.Close(); err != nil {
		t.Error(err)
	}
}

func TestTheStartDoesNotWaitForEver(t *testing.T) {
	t.Parallel()
	server := backing.PostgresServer(t)
	wrong := strings.Replace(server.URL(), "/postgres?", "/nowhere?", 1)
	began := time.Now()
	if _, err := openOn(t, wrong, "10m"); err == nil || !strings.Contains(err.Error(), "DATABASE_URL") || !strings.Contains(err.Error(), "no such database") {
		t.Errorf("what waiting does not mend: %v", err)
	}
	if took := time.Since(began); took > 2*time.Minute {
		t.Errorf("it was waited for, %s", took)
	}
	server.Kill()
	_, err := openOn(t, server.URL(), "300ms")
	for _, s := range []string{"DATABASE_URL", server.Addr(), "refused", "not there after 300ms", "ASHLAR_DATABASE_WAIT"} {
		if err == nil || !strings.Contains(err.Error(), s) {
			t.Errorf("a database that never comes: %v must say %q", err, s)
		}
	}
}

// P12.11: production speaks to a database elsewhere by verified TLS only.
func TestProductionAsksForTLS(t *testing.T) {
	t.Parallel()
	load := func(url string, more ...string) error {
		settings := map[string]string{
			"DATABASE_URL": url, "ASHLAR_ENV": "production", "ASHLAR_SIGNING_KEYS": strings.Repeat("QkJC", 10) + "QkI=",
		}
		for i := 0; i < len(more); i += 2 {
			settings[more[i]] = more[i+1]
		}
		_, err := config.Load[ashlar.Config](config.Map(settings))
		return err
	}
	refused := func(err error) bool { return err != nil && strings.Contains(err.Error(), "sslmode=verify-full") }
	const plain = "postgres://app:canary-7f3a@db.example.com/shop?sslmode=disable"
	if err := load(plain); !refused(err) || strings.Contains(err.Error(), "canary") {
		t.Errorf("plain text: %v", err)
	}
	for name, err := range map[string]error{
		"the loose setting": load(plain, "ASHLAR_DATABASE_PLAINTEXT", "on"),
		"development":       load(plain, "ASHLAR_ENV", "development"),
		"the loopback":      load("postgres://app@127.0.0.1/shop?sslmode=disable"),
		"nothing said":      load("postgres://app@db.example.com/shop"),
	} {
		if refused(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
