package ashlar

import (
	"context"

	"github.com/ashlar-go/ashlar/auth"
	"github.com/ashlar-go/ashlar/db"
)

// auditLog keeps security events in the app's database.
type auditLog struct{ db *db.DB }

// Record implements [auth.Audit].
func (l auditLog) Record(ctx context.Context, events ...auth.SecurityEvent) error {
	_, err := db.InTx(ctx, l.db, func(tx *db.Tx) (struct{}, error) {
		return struct{}{}, recordEvents(ctx, tx, events...)
	})
	return err
}

const eventColumns = `id, at, kind, outcome, subject, actor, credential, address, agent, detail`

// recordEvents writes events with whatever else the transaction does.
func recordEvents(ctx context.Context, q db.Querier, events ...auth.SecurityEvent) error {
	for _, e := range events {
		_, err := db.Exec(ctx, q,
			`INSERT INTO ashlar_security_events (`+eventColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
			e.ID, e.At, string(e.Kind), string(e.Outcome), e.Subject, e.Actor, e.Credential, e.Address, e.Agent, e.Detail)
		if err != nil {
			return err
		}
	}
	return nil
}
