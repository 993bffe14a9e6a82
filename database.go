package ashlar

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/db/postgres"
	"github.com/ashlar-go/ashlar/db/sqlite"
	"github.com/ashlar-go/ashlar/fault"
)

// databasePath is where an embedded database lies: what DATABASE_URL says, or
// its place in the data directory. It is empty for a PostgreSQL.
func (c Config) databasePath() (string, error) {
	if c.DatabaseURL.IsZero() {
		return filepath.Join(c.DataDir, "app.db"), nil
	}
	scheme, path, _ := strings.Cut(c.DatabaseURL.Reveal(), ":")
	switch {
	case scheme == "postgres" || scheme == "postgresql":
		return "", nil
	case scheme != "sqlite" || path == "":
		return "", errors.New("must have the form sqlite:PATH or postgres://user:password@host:5432/database")
	}
	return path, nil
}

// postgres is the configuration of a PostgreSQL.
func (c Config) postgres() postgres.Config {
	return postgres.Config{
		URL: c.DatabaseURL.Reveal(), MaxConns: c.Connections, Pooler: c.Pooler == switchOn,
		Plaintext: !c.Production() || c.Plaintext == switchOn, Replicas: c.replicas(),
	}
}

// replicas are the URLs of standbys. A comma also separates the hosts of one
// URL, so it counts only before the next one.
func (c Config) replicas() []string {
	var list []string
	for part := range strings.SplitSeq(c.ReplicaURL.Reveal(), ",") {
		switch part = strings.TrimSpace(part); {
		case part == "":
		case len(list) > 0 && !strings.Contains(part, "://"):
			list[len(list)-1] += "," + part
		default:
			list = append(list, part)
		}
	}
	return list
}

func (c Config) checkDatabase() (errs []error) {
	refuse := func(when bool, format string, args ...any) {
		if when {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	path, err := c.databasePath()
	refuse(err != nil, "DATABASE_URL: %w", err)
	refuse(c.Connections < 1, "ASHLAR_DATABASE_CONNECTIONS: must be at least 1")
	refuse(c.DatabaseWait < 0, "ASHLAR_DATABASE_WAIT: must not be negative")
	refuse(path != "" && !c.ReplicaURL.IsZero(), "DATABASE_REPLICA_URL: is for standbys of a PostgreSQL, and DATABASE_URL names none")
	if path == "" && err == nil {
		p := c.postgres()
		p.MaxConns, p.Replicas = max(p.MaxConns, 1), nil
		err := p.Check()
		refuse(err != nil, "DATABASE_URL: %w", err)
		p.Replicas = c.replicas()
		if err == nil {
			err = p.Check()
			refuse(err != nil, "DATABASE_REPLICA_URL: %w", err)
		}
	}
	return errs
}

// openDatabase opens what DATABASE_URL names, with its replicas, of which
// changed is told.
func openDatabase(ctx context.Context, cfg Config, log *slog.Logger, changed func(server string, reason error)) (*db.DB, error) {
	path, err := cfg.databasePath()
	if err != nil {
		return nil, fmt.Errorf("DATABASE_URL: %w", err)
	}
	var d *db.DB
	switch path {
	case "":
		p := cfg.postgres()
		p.ReplicaChanged = changed
		d, err = await(ctx, cfg.DatabaseWait, log, func() (*db.DB, error) { return postgres.Open(ctx, p) })
	case ":memory:":
		d, err = sqlite.Open(ctx, sqlite.Config{Path: path})
	default:
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return nil, fmt.Errorf("DATABASE_URL: make the database's directory: %w", err)
		}
		d, err = sqlite.Open(ctx, sqlite.Config{Path: path})
	}
	if err != nil {
		return nil, fmt.Errorf("DATABASE_URL: %w", err)
	}
	return d, nil
}

// The pauses between attempts to reach a database at the start.
const (
	firstAwait = 100 * time.Millisecond
	longAwait  = 2 * time.Second
)

// await opens a database that may start later than the app. What waiting does
// not mend, such as a wrong password, ends it at once.
func await(ctx context.Context, patience time.Duration, log *slog.Logger, open func() (*db.DB, error)) (*db.DB, error) {
	deadline := time.Now().Add(patience)
	for pause := firstAwait; ; pause = min(2*pause, longAwait) {
		d, err := open()
		if err == nil || !errors.Is(err, fault.ErrUnavailable) {
			return d, err
		}
		left := time.Until(deadline)
		if left <= 0 {
			return nil, fmt.Errorf("not there after %s (ASHLAR_DATABASE_WAIT): %w", patience, err)
		}
		if pause == firstAwait {
			log.WarnContext(ctx, "the database cannot be reached yet", "error", err, "wait", patience)
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), err)
		case <-time.After(min(left, pause/2+rand.N(pause))): //nolint:gosec // no secret
		}
	}
}
