package ashlar

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ashlar-go/ashlar/auth"
	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/metric"
	"github.com/ashlar-go/ashlar/trace"
)

// auditLog keeps security events in the app's database.
type auditLog struct {
	db     *db.DB
	events *metric.Family[metric.Counter] // those recorded, by kind and outcome
}

func (a *App) audit() auditLog { return auditLog{a.DB, a.meters.events} }

// Record implements [auth.Audit].
func (l auditLog) Record(ctx context.Context, events ...auth.SecurityEvent) error {
	_, err := db.InTx(ctx, l.db, func(tx *db.Tx) (struct{}, error) {
		return struct{}{}, l.record(ctx, tx, events...)
	})
	return err
}

const eventColumns = `id, at, kind, outcome, subject, actor, credential, address, agent, detail`

// record writes events with whatever else the transaction does.
func (l auditLog) record(ctx context.Context, tx *db.Tx, events ...auth.SecurityEvent) error {
	for _, e := range events {
		_, err := db.Exec(ctx, tx,
			`INSERT INTO ashlar_security_events (`+eventColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
			e.ID, e.At, string(e.Kind), string(e.Outcome), e.Subject, e.Actor, e.Credential, e.Address, e.Agent, e.Detail)
		if err != nil {
			return err
		}
		tx.AfterCommit(l.events.With(string(e.Kind), string(e.Outcome)).Inc)
	}
	return nil
}

// Record writes security events of the app's own into its audit log, beside
// those that sign-in, sessions and keys leave there:
//
//	app.Record(ctx, auth.NewEvent(ctx, "limits_raised", auth.Succeeded))
//
// The command "audit" shows them, and they are deleted after ASHLAR_AUDIT_KEEP.
func (a *App) Record(ctx context.Context, events ...auth.SecurityEvent) error {
	return a.audit().Record(ctx, events...)
}

// The audit log is swept in small transactions, so that a sign-in does not
// wait behind one.
const (
	auditSweepEvery = time.Hour
	auditSweepBatch = 500
)

// sweep deletes events that were kept for long enough, until ctx ends.
func (l auditLog) sweep(keep time.Duration) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		for {
			var n int64
			err := trace.Do(ctx, "ashlar.audit.sweep", func(ctx context.Context) (err error) {
				n, err = l.forget(ctx, time.Now().Add(-keep))
				return err
			})
			if err != nil {
				return fmt.Errorf("sweep the audit log: %w", err)
			}
			pause := auditSweepEvery
			if n == auditSweepBatch {
				pause = time.Second
			}
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(pause):
			}
		}
	}
}

// forget deletes a batch of the events from before t, the oldest first.
func (l auditLog) forget(ctx context.Context, t time.Time) (int64, error) {
	return db.Exec(ctx, l.db, `
		DELETE FROM ashlar_security_events WHERE id IN (
			SELECT id FROM ashlar_security_events WHERE at < $1 ORDER BY id LIMIT $2)`, t.UTC(), auditSweepBatch)
}

// auditCommand shows the newest security events.
type auditCommand struct {
	Subject string        `help:"Only of this account."`
	Kind    string        `help:"Only of this kind, such as sign_in."`
	Failed  bool          `help:"Only what failed or was refused."`
	Since   time.Duration `default:"720h" help:"How far back to look."`
	Limit   int           `default:"50" help:"How many events to show, the newest."`
}

func (c auditCommand) run(ctx context.Context, a *App, io console) error {
	if c.Limit < 1 || c.Limit > 100_000 {
		return fmt.Errorf("--limit: %d is out of range: 1 to 100000", c.Limit)
	}
	if err := a.migrateAtStart(ctx); err != nil {
		return err
	}
	failed := int64(0)
	if c.Failed {
		failed = 1
	}
	events, err := db.All[auth.SecurityEvent](ctx, a.DB, `
		SELECT `+eventColumns+` FROM ashlar_security_events
		WHERE at >= $1 AND ($2 = '' OR subject = $2) AND ($3 = '' OR kind = $3) AND ($4 = 0 OR outcome <> 'succeeded')
		ORDER BY id DESC LIMIT $5`, time.Now().Add(-c.Since).UTC(), c.Subject, c.Kind, failed, c.Limit)
	if err != nil {
		return err
	}
	rows := []string{"AT\tKIND\tOUTCOME\tSUBJECT\tACTOR\tCREDENTIAL\tADDRESS\tDETAIL\tAGENT"}
	for _, e := range slices.Backward(events) {
		rows = append(rows, strings.Join([]string{
			e.At.UTC().Format(time.RFC3339), string(e.Kind), string(e.Outcome), shown(e.Subject), shown(e.Actor),
			shown(e.Credential), shown(e.Address), shown(e.Detail), shown(e.Agent),
		}, "\t"))
	}
	return io.table(rows...)
}

// shown is a cell of a table: what a client has sent must not move the
// terminal's cursor.
func shown(text string) string {
	if text == "" {
		return "-"
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return ' '
		}
		return r
	}, text)
}
