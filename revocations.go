package ashlar

import (
	"context"
	"fmt"
	"time"

	"github.com/ashlar-go/ashlar/auth"
	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/trace"
)

// Revocations hold on every instance within a second: each reads the table
// this often, and when another one tells it to.
const followEvery = 500 * time.Millisecond

// sweepRevocationsEvery is how often those that no longer matter are deleted.
const sweepRevocationsEvery = time.Minute

const revocationColumns = `seq, subject, credential, epoch, role, until`

// recordRevocations writes revocations with whatever else the transaction
// does, and applies them in this process once it is committed. A zero Until
// means until every access token of today has expired, however long it lives. Call it last in the
// transaction: others who revoke wait for its end.
func (a *App) recordRevocations(ctx context.Context, tx *db.Tx, list ...auth.Revocation) error {
	recorded := make([]auth.Revocation, len(list))
	for i, r := range list {
		if r.Until.IsZero() {
			r.Until = time.Now().UTC().Add(auth.RevokedFor)
		}
		var err error
		r.Seq, err = db.One[int64](ctx, tx, `UPDATE ashlar_revocations_last SET seq = seq + 1 RETURNING seq`)
		if err != nil {
			return fmt.Errorf("number a revocation: %w", err)
		}
		_, err = db.Exec(ctx, tx, `INSERT INTO ashlar_revocations (`+revocationColumns+`) VALUES ($1, $2, $3, $4, $5, $6)`,
			r.Seq, r.Subject, r.Credential, r.Epoch, r.Role, r.Until)
		if err != nil {
			return fmt.Errorf("record a revocation: %w", err)
		}
		recorded[i] = r
	}
	tx.AfterCommit(func() {
		a.revocations.Apply(recorded...)
		nudge(a.announcements)
	})
	return nil
}

// loadRevocations applies what was recorded since it was called last, by this
// process or another.
func (a *App) loadRevocations(ctx context.Context) error {
	const page = 5000
	a.following.Lock()
	defer a.following.Unlock()
	last, err := db.One[int64](ctx, a.DB, `SELECT seq FROM ashlar_revocations_last`)
	switch {
	case err != nil:
		return fmt.Errorf("read the revocations: %w", err)
	case last == a.followed: // nearly always
		return nil
	case last < a.followed:
		// The database was put back, or replaced by a copy that lagged behind,
		// and gives these numbers out again.
		a.followed = 0
	}
	for {
		list, err := db.All[auth.Revocation](ctx, a.DB,
			`SELECT `+revocationColumns+` FROM ashlar_revocations WHERE seq > $1 ORDER BY seq LIMIT $2`, a.followed, page)
		if err != nil {
			return fmt.Errorf("read the revocations: %w", err)
		}
		a.revocations.Apply(list...)
		if len(list) > 0 {
			a.followed = list[len(list)-1].Seq
		}
		if len(list) < page {
			a.followed = max(a.followed, last) // its row may be swept
			return nil
		}
	}
}

// followRevocations keeps up with the table until ctx ends. While the database
// cannot be read it tries on at the same pace, because a pause that grows would
// be time in which a stolen session lives on.
func (a *App) followRevocations(ctx context.Context) error {
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	failing := false
	for {
		err := trace.Do(ctx, "ashlar.revocations.follow", a.loadRevocations)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && !failing:
			a.Log.ErrorContext(ctx, "revocations cannot be followed", "error", err)
		case err == nil && failing:
			a.Log.InfoContext(ctx, "revocations are followed again")
		}
		failing = err != nil
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-a.pokes: // by another instance
		}
	}
}

// sweepRevocations deletes what no longer matters, until ctx ends.
func (a *App) sweepRevocations(ctx context.Context) error {
	tick := time.NewTicker(sweepRevocationsEvery)
	defer tick.Stop()
	for {
		a.revocations.Sweep()
		if err := trace.Do(ctx, "ashlar.revocations.sweep", a.deleteRevocations); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (a *App) deleteRevocations(ctx context.Context) error {
	if _, err := db.Exec(ctx, a.DB, `DELETE FROM ashlar_revocations WHERE until < $1`, time.Now().UTC()); err != nil {
		return fmt.Errorf("delete revocations: %w", err)
	}
	return nil
}
