package ashlar

import (
	"context"
	"embed"
	"fmt"
	"time"

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/event"
	"github.com/ashlar-go/ashlar/idem"
	"github.com/ashlar-go/ashlar/job"
	"github.com/ashlar-go/ashlar/webhook"
)

//go:embed migrations/*.sql
var ownMigrations embed.FS

// migrations lists what the app's modules bring, the framework's own first,
// in the order of mounting.
func (a *App) migrations() []db.Migrations {
	list := []db.Migrations{
		{Name: "ashlar_idempotency", FS: idem.Migrations()},
		{Name: "ashlar_accounts", FS: ownMigrations},
		{Name: "ashlar_jobs", FS: job.Migrations()},
		{Name: "ashlar_events", FS: event.Migrations()},
	}
	if a.hooks != nil {
		list = append(list, db.Migrations{Name: "ashlar_webhook", FS: webhook.Migrations()})
	}
	for _, m := range a.modules {
		if m.Migrations != nil {
			list = append(list, db.Migrations{Name: m.Name, FS: m.Migrations})
		}
	}
	return list
}

// Migrate applies every pending migration of what is mounted, reads the
// revocations that are in force, and has new consumers begin.
func (a *App) Migrate(ctx context.Context) error {
	if _, err := db.Up(ctx, a.DB, a.migrations()...); err != nil {
		return err
	}
	if err := a.loadRevocations(ctx); err != nil {
		return err
	}
	return a.Events.Register(ctx, a.Consumers()...)
}

// migrateAtStart brings the schema up to date, or refuses to start where that
// is left to an operator.
func (a *App) migrateAtStart(ctx context.Context) error {
	if a.cfg.Migrate == "manual" {
		states, err := db.Status(ctx, a.DB, a.migrations()...)
		if err != nil {
			return fmt.Errorf("read the schema's version: %w", err)
		}
		for _, s := range states {
			if s.Pending() {
				return fmt.Errorf("migration %s of %s is pending and ASHLAR_MIGRATE is manual; run the command \"migrate up\" first", s.File, s.Module)
			}
		}
		return nil
	}
	began := time.Now()
	applied, err := db.Up(ctx, a.DB, a.migrations()...)
	if err != nil {
		return fmt.Errorf("migrate the database: %w", err)
	}
	if len(applied) > 0 {
		a.Log.Info("database migrated", "applied", len(applied), "duration", time.Since(began))
	}
	return nil
}

// migrateCommand changes the schema.
type migrateCommand struct {
	Up     migrateUp     `cmd:"" help:"Apply every pending migration."`
	Down   migrateDown   `cmd:"" help:"Take back the newest migrations."`
	Status migrateStatus `cmd:"" help:"List the migrations and when each was applied."`
}

type migrateUp struct{}

func (migrateUp) run(ctx context.Context, a *App, io console) error {
	applied, err := db.Up(ctx, a.DB, a.migrations()...)
	return printApplied(io, applied, err, "Nothing to do: the schema is up to date.")
}

type migrateDown struct {
	Steps int `default:"1" help:"How many migrations to take back."`
}

func (c migrateDown) run(ctx context.Context, a *App, io console) error {
	if c.Steps < 1 {
		return fmt.Errorf("--steps must be at least 1, not %d", c.Steps)
	}
	applied, err := db.Down(ctx, a.DB, c.Steps, a.migrations()...)
	return printApplied(io, applied, err, "Nothing to do: no migration is applied.")
}

func printApplied(io console, applied []db.Applied, err error, nothing string) error {
	for _, one := range applied {
		io.printf("%s %s (%s)\n", one.Module, one.File, one.Duration.Round(time.Millisecond/10))
	}
	if err == nil && len(applied) == 0 {
		io.printf("%s\n", nothing)
	}
	return err
}

type migrateStatus struct{}

func (migrateStatus) run(ctx context.Context, a *App, io console) error {
	states, err := db.Status(ctx, a.DB, a.migrations()...)
	if err != nil {
		return err
	}
	rows := []string{"MODULE\tMIGRATION\tAPPLIED"}
	for _, s := range states {
		when := "pending"
		if !s.Pending() {
			when = s.AppliedAt.UTC().Format(time.RFC3339)
		}
		rows = append(rows, s.Module+"\t"+s.File+"\t"+when)
	}
	return io.table(rows...)
}
