package idem

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// A Claim is one run's hold on a key, from [Store.Begin] to [Claim.Settle].
// Its methods are called one after another; those with a tx run inside the
// transaction of the effect. When one of them fails, return its error and
// roll back: the effect belongs to somebody else. A claim keeps working when
// a transaction was rolled back for another reason and is tried again.
type Claim struct {
	store   *Store
	request Request
	owner   string
	ref     string
	stored  bool
	lost    bool
}

// Ref returns the reference that the last committed phase of an earlier run
// left; ok is false if the handler starts anew.
func (c *Claim) Ref() (ref string, ok bool) { return c.ref, c.ref != "" }

// Stored reports whether Finish has run without an error. A handler that
// succeeded without it had no transaction of its own: Finish may then be
// called with the database instead of a transaction.
func (c *Claim) Stored() bool { return c.stored }

// Take writes the key at the start of a transaction, so that a twin waits or
// fails there instead of at the end of its own. It is never needed: Phase and
// Finish do the same in the statement they run anyway, and what a twin did
// until then is rolled back. It costs a statement and pays only where a
// transaction is long and twins are common. Take may be called in any of the
// operation's transactions. It fails with [ErrInFlight] if a twin has the key.
func (c *Claim) Take(ctx context.Context, tx Conn) error {
	return c.write(ctx, tx, "take", "", Response{})
}

// Phase writes the key and a reference for a resumed run, as the last
// statement of a transaction that is not the operation's last. The lease runs
// from here. It fails with [ErrInFlight] if a twin has the key.
func (c *Claim) Phase(ctx context.Context, tx Conn, ref string) error {
	if ref == "" {
		return errors.New("idem: a phase needs a reference, or a retry could not resume it")
	}
	return c.write(ctx, tx, "phase", ref, Response{})
}

// Finish writes the key and the response, as the last statement of the
// operation's last transaction. It fails with [ErrInFlight] if a twin has the
// key.
func (c *Claim) Finish(ctx context.Context, tx Conn, r Response) error {
	if r.Status == 0 {
		return errors.New("idem: a response needs a status")
	}
	if err := c.write(ctx, tx, "finish", "", r); err != nil {
		return err
	}
	c.stored = true
	return nil
}

// Settle is asked after the handler, outside any transaction, with the
// handler's error. For nil it does nothing. After a failure it reads the key
// once and returns what the request is to be answered:
//   - the stored response, if a twin was faster, or if this run committed it
//     and failed afterwards;
//   - [ErrInFlight] or [ErrReused], if somebody else has the key. A handler
//     that ran beside its twin may have failed for no other reason than that;
//   - failed itself. If a phase had been committed, its lease is ended, so
//     that a retry resumes at once;
//   - the database's error, if the key cannot be read. What a twin did is not
//     known then, so failed is in the text and not for the caller.
//
// It works on when ctx has ended: so has many a request that failed.
func (c *Claim) Settle(ctx context.Context, conn Conn, failed error) (*Response, error) {
	if failed == nil && !c.lost {
		return nil, nil //nolint:nilnil // the handler's own result stands
	}
	if errors.Is(failed, errFinished) {
		return nil, failed
	}
	ctx, cancel := outlive(ctx)
	defer cancel()
	k, found, err := read(ctx, conn, &c.request)
	if err != nil {
		// A twin may have committed, and this run may have failed because of its
		// effect: nobody can say that the request was refused.
		return nil, fmt.Errorf("idem: settle: %w; the run had failed: %v", err, failed) //nolint:errorlint // so that nobody takes the refusal for the answer
	}
	now := c.store.now()
	switch {
	case !found || k.expiresAt <= now.UnixMilli():
	case k.owner == c.owner && k.status == 0:
		if err := c.Release(ctx, conn); err != nil {
			return nil, errors.Join(failed, err)
		}
		return nil, failed
	default:
		if stored, err := k.answer(&c.request, now); stored != nil || err != nil {
			return stored, err
		}
		return nil, inFlight(0)
	}
	if c.lost { // and the winner has gone
		return nil, inFlight(0)
	}
	return nil, failed
}

// Release ends the lease of a run that committed a phase and failed, so that
// a retry resumes at once instead of after the lease. [Claim.Settle] calls it.
// It does nothing if there is no such lease, and works on when ctx has ended.
func (c *Claim) Release(ctx context.Context, conn Conn) error {
	ctx, cancel := outlive(ctx)
	defer cancel()
	r := &c.request
	if _, err := conn.Exec(ctx, release, r.Principal, r.Operation, r.Key, c.owner); err != nil {
		return fmt.Errorf("idem: release: %w", err)
	}
	return nil
}

const release = `
UPDATE ashlar_idempotency SET leased_until = 0
WHERE principal = $1 AND operation = $2 AND key = $3 AND status = 0 AND owner = $4`

// errFinished reaches whoever wrote the handler, not its caller.
var errFinished = errors.New("idem: an earlier transaction of this request stored the response; " +
	"run every transaction but the last with idem.Phase")

// write puts the claim's row into the database, or changes the row if it is
// the claim's own and unfinished, or if it has expired. In any other case it
// changes nothing and reports the key lost. It does not rely on what the claim
// wrote before, because it is not told which transactions committed.
func (c *Claim) write(ctx context.Context, tx Conn, what, ref string, resp Response) error {
	now := c.store.now()
	leasedUntil, expiresAt := c.times(now)
	r := &c.request
	body := resp.Body
	if body == nil {
		body = []byte{} // nil would be NULL
	}
	n, err := tx.Exec(ctx, writeRow,
		r.Principal, r.Operation, r.Key, r.Fingerprint[:], c.owner, ref, leasedUntil, expiresAt,
		int64(resp.Status), resp.ContentType, resp.Location, resp.ETag, body, now.UnixMilli())
	if err != nil {
		return fmt.Errorf("idem: %s: %w", what, err)
	}
	if n > 0 {
		return nil
	}
	if c.stored {
		if k, found, err := read(ctx, tx, r); err == nil && found && k.owner == c.owner {
			return errFinished
		}
	}
	c.lost = true
	return inFlight(0)
}

// A conflict changes no row instead of raising an error, so no driver's errors
// have to be told apart and PostgreSQL does not abort the transaction. There,
// the statement waits for a twin that has written the key and not committed.
const writeRow = `
INSERT INTO ashlar_idempotency (principal, operation, key, fingerprint, owner, ref, leased_until, expires_at,
	status, content_type, location, etag, body)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
ON CONFLICT (principal, operation, key) DO UPDATE SET
	fingerprint = excluded.fingerprint, owner = excluded.owner,
	ref = CASE WHEN excluded.ref = '' AND ashlar_idempotency.owner = excluded.owner
		THEN ashlar_idempotency.ref ELSE excluded.ref END,
	leased_until = excluded.leased_until, expires_at = excluded.expires_at,
	status = excluded.status, content_type = excluded.content_type,
	location = excluded.location, etag = excluded.etag, body = excluded.body
WHERE ashlar_idempotency.expires_at <= $14
	OR ashlar_idempotency.status = 0 AND ashlar_idempotency.owner = excluded.owner`

// times returns when a lease and a row that are written now end: never a row
// before its lease.
func (c *Claim) times(now time.Time) (leasedUntil, expiresAt int64) {
	r := &c.request
	return now.Add(r.Lease).UnixMilli(), now.Add(max(r.TTL, r.Lease)).UnixMilli()
}

// outlive returns a ctx for the work that a failed request leaves behind.
func outlive(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
}
