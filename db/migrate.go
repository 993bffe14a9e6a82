package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"time"

	"github.com/pressly/goose/v3"
)

// Migrations is the history of one module's tables: files NNN_name.sql with
// `-- +goose Up` and `-- +goose Down` parts. Each module keeps its own account
// of what was applied, in the table <Name>_migrations, so that modules evolve
// independently.
//
// What cannot be said in SQL that every database understands has a file for
// each dialect, NNN_name.sqlite.sql and NNN_name.postgres.sql, or for one of
// them. Both are one version; on a database that has no file of it the version
// does not exist.
type Migrations struct {
	// Name is the module: a lower-case letter, then letters, digits and _.
	Name string
	// FS holds the files, at its root or in its only directory (which is
	// what `//go:embed migrations` makes).
	FS fs.FS
}

// Applied is one migration that was run now.
type Applied struct {
	Module   string
	Version  int64
	File     string
	Duration time.Duration
}

// State is one known migration and whether the database has it.
type State struct {
	Module    string
	Version   int64
	File      string
	AppliedAt time.Time // zero while pending
}

// Pending reports whether the migration is still to be applied.
func (s State) Pending() bool { return s.AppliedAt.IsZero() }

// Up applies every pending migration of the modules, in the order given, and
// tells which. Processes that start at once take turns: the first one
// migrates, the others find it done. A failure names the file; on SQLite the
// whole call is then undone.
func Up(ctx context.Context, d *DB, list ...Migrations) ([]Applied, error) {
	var applied []Applied
	err := migrate(ctx, d, list, func(m Migrations, p *goose.Provider) error {
		results, err := p.Up(ctx)
		applied = append(applied, appliedOf(m, results)...)
		return err
	})
	if err != nil {
		return nil, err
	}
	return applied, nil
}

// Down takes back the last steps migrations, newest first: of the last module
// in the list until it has none left, then of the one before. It stops early
// when nothing is left.
func Down(ctx context.Context, d *DB, steps int, list ...Migrations) ([]Applied, error) {
	backwards := slices.Clone(list)
	slices.Reverse(backwards)
	var undone []Applied
	err := migrate(ctx, d, backwards, func(m Migrations, p *goose.Provider) error {
		if err := older(ctx, p); err != nil && len(undone) < steps {
			return err
		}
		for len(undone) < steps {
			result, err := p.Down(ctx)
			if errors.Is(err, goose.ErrNoNextVersion) {
				return nil
			}
			if err != nil {
				return err
			}
			undone = append(undone, appliedOf(m, []*goose.MigrationResult{result})...)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return undone, nil
}

// ErrNewer is answered by [Down] to a program that does not know the newest
// migration of the database. It works on that schema if the migrations only
// added to it, and [Up] leaves it alone; the way back is known to the program
// that brought it.
var ErrNewer = errors.New("db: the database was migrated by a newer program, which alone knows the way back")

// older reports that the database is ahead of the files.
func older(ctx context.Context, p *goose.Provider) error {
	has, err := p.GetDBVersion(ctx)
	if err != nil {
		return err
	}
	knows := int64(0)
	for _, s := range p.ListSources() {
		knows = max(knows, s.Version)
	}
	if has > knows {
		return fmt.Errorf("%w: it has version %d, and the newest known here is %d", ErrNewer, has, knows)
	}
	return nil
}

// Status lists every known migration of the modules in order.
func Status(ctx context.Context, d *DB, list ...Migrations) ([]State, error) {
	var states []State
	err := migrate(ctx, d, list, func(m Migrations, p *goose.Provider) error {
		known, err := p.Status(ctx)
		for _, s := range known {
			states = append(states, State{Module: m.Name, Version: s.Source.Version, File: s.Source.Path, AppliedAt: s.AppliedAt.UTC()})
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return states, nil
}

// migrate visits each module with its goose provider, under the lock.
func migrate(ctx context.Context, d *DB, list []Migrations, visit func(Migrations, *goose.Provider) error) error {
	seen := make(map[string]bool, len(list))
	for _, m := range list {
		switch {
		case !moduleName.MatchString(m.Name):
			return fmt.Errorf("db: migrations of %q: the name must match %s", m.Name, moduleName)
		case m.FS == nil:
			return fmt.Errorf("db: migrations of %s: no FS", m.Name)
		case seen[m.Name]:
			return fmt.Errorf("db: migrations of %s are listed twice", m.Name)
		}
		seen[m.Name] = true
	}
	return d.driver.Migrate(ctx, func(pool *sql.DB, dialect Dialect) error {
		for _, m := range list {
			p, err := provider(pool, dialect, m)
			if err == nil && p != nil {
				err = visit(m, p)
			}
			if failed, ok := errors.AsType[*goose.PartialError](err); ok {
				return fmt.Errorf("db: migrations of %s: %s: %w", m.Name, failed.Failed.Source.Path, failed.Err)
			}
			if err != nil {
				return fmt.Errorf("db: migrations of %s: %w", m.Name, err)
			}
		}
		return nil
	})
}

var moduleName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,39}$`)

// provider is nil for a module that has no migration for the dialect.
func provider(pool *sql.DB, dialect Dialect, m Migrations) (*goose.Provider, error) {
	files, err := root(m.FS)
	if err != nil {
		return nil, err
	}
	files, some, err := spoken(files, dialect)
	if err != nil || !some {
		return nil, err
	}
	speaks := goose.DialectPostgres
	if dialect == SQLite {
		speaks = goose.DialectSQLite3
	}
	return goose.NewProvider(speaks, pool, files,
		goose.WithTableName(m.Name+"_migrations"),
		goose.WithDisableGlobalRegistry(true),
		goose.WithLogger(goose.NopLogger()),
	)
}

// root descends into the only directory of an embedded tree, so that a module
// need not call fs.Sub.
func root(files fs.FS) (fs.FS, error) {
	here, err := fs.Glob(files, "*.sql")
	if err != nil || len(here) > 0 {
		return files, err
	}
	entries, err := fs.ReadDir(files, ".")
	if err != nil {
		return nil, err
	}
	if len(entries) == 1 && entries[0].IsDir() {
		return fs.Sub(files, entries[0].Name())
	}
	return nil, errors.New("no .sql file at the root, and not exactly one directory that could hold them")
}

func appliedOf(m Migrations, results []*goose.MigrationResult) []Applied {
	var list []Applied
	for _, r := range results {
		if r != nil && r.Error == nil {
			list = append(list, Applied{Module: m.Name, Version: r.Source.Version, File: r.Source.Path, Duration: r.Duration})
		}
	}
	return list
}
