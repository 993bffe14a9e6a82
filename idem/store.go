package idem

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"embed"
	"fmt"
	"io/fs"
	"time"

	"github.com/ashlar-go/ashlar/fault"
)

// Answers to a request whose key is not free.
const (
	// ErrReused says that the key belongs to a request with another content.
	ErrReused = fault.ErrKeyReused
	// ErrInFlight says that another run of the request holds the key. It
	// comes with the seconds to wait, as the header Retry-After and as the
	// member retry_after.
	ErrInFlight = fault.ErrKeyInFlight
)

// Defaults of a [Request].
const (
	DefaultTTL   = 24 * time.Hour
	DefaultLease = time.Minute
)

// Conn is what this package needs of a database or of a transaction. The
// statements have $1 placeholders, in ascending order of first use; arguments
// are string, int64 and []byte. Each method runs one statement; an error of the
// driver may be returned as it is.
type Conn interface {
	// Exec returns the number of rows that the statement wrote.
	Exec(ctx context.Context, sql string, args ...any) (rows int64, err error)
	// Row scans the first row into dest, pointers to string, int64 and
	// []byte. Without a row found is false and err is nil.
	Row(ctx context.Context, sql string, args []any, dest ...any) (found bool, err error)
}

// A Request is one use of a key.
type Request struct {
	// Principal and Operation scope the key: the same key of another
	// principal, or on another operation, is another key. Callers that
	// cannot be told apart should not have keys, for they would read each
	// other's responses.
	Principal, Operation string
	// Key is what [ParseKey] returned.
	Key string
	// Fingerprint is a digest of everything the effect depends on, path and
	// query included, such as sha256 of the decoded input.
	Fingerprint [sha256.Size]byte
	// TTL is how long the key is kept after its last transaction. Zero
	// means [DefaultTTL]. A key whose TTL is over is free, even if its
	// operation was left between two phases.
	TTL time.Duration
	// Lease is how long an unfinished run keeps its twins away after each of
	// its phases. Zero means [DefaultLease]. Make it longer than the
	// handler may run, or a retry resumes beside it: still only one of them
	// commits, but both call the outside.
	Lease time.Duration
}

// A Response is a stored answer, as much of it as a replay needs.
type Response struct {
	Status                      int // of HTTP, never 0
	ContentType, Location, ETag string
	Body                        []byte
}

// Store keeps keys in a database. It holds no connection and is safe for
// concurrent use.
type Store struct{ now func() time.Time }

// New returns a store with the given clock; nil means [time.Now].
func New(now func() time.Time) *Store {
	if now == nil {
		now = time.Now
	}
	return &Store{now: now}
}

//go:embed migrations
var migrations embed.FS

// Migrations returns the history of the table ashlar_idempotency as goose
// files, at the root. Their text suits SQLite and PostgreSQL alike.
func Migrations() fs.FS {
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil {
		panic(err) // the name is a constant and valid
	}
	return sub
}

// Begin is asked before the handler runs, outside any transaction. It returns
// one of three: a claim with which the handler may run, the response of an
// earlier run, which is to be replayed, or an error. The faults are [ErrReused]
// and [ErrInFlight].
//
// It costs one read of one row. Only when an earlier run committed a phase and
// stopped does it write: the claim takes over that run's lease, and [Claim.Ref]
// says where to go on. Conn must not be read-only therefore.
func (s *Store) Begin(ctx context.Context, conn Conn, r Request) (*Claim, *Response, error) {
	if r.TTL <= 0 {
		r.TTL = DefaultTTL
	}
	if r.Lease <= 0 {
		r.Lease = DefaultLease
	}
	c := &Claim{store: s, request: r, owner: rand.Text()}

	now := s.now()
	row, found, err := read(ctx, conn, &r)
	if err != nil {
		return nil, nil, fmt.Errorf("idem: begin: %w", err)
	}
	if !found || row.expiresAt <= now.UnixMilli() {
		return c, nil, nil
	}
	if stored, err := row.answer(&r, now); stored != nil || err != nil {
		return nil, stored, err
	}

	leasedUntil, expiresAt := c.times(now)
	n, err := conn.Exec(ctx, takeOver,
		r.Principal, r.Operation, r.Key, c.owner, leasedUntil, expiresAt, row.owner, row.leasedUntil)
	if err != nil {
		return nil, nil, fmt.Errorf("idem: resume: %w", err)
	}
	if n == 0 { // another retry was faster, or the first run is alive after all
		return nil, nil, inFlight(0)
	}
	c.ref = row.ref
	return c, nil, nil
}

// The lease's end also serves as the row's version: each write moves it on, so
// a row that changed since it was read is left alone.
const takeOver = `
UPDATE ashlar_idempotency SET owner = $4, leased_until = $5, expires_at = $6
WHERE principal = $1 AND operation = $2 AND key = $3 AND status = 0
  AND owner = $7 AND leased_until = $8`

// Sweep deletes at most limit keys whose TTL is over, the oldest first, and
// returns how many there were. Call it now and then, again at once while it
// returns limit; a small limit keeps other writers from waiting. A limit below
// 1 means 500.
func (s *Store) Sweep(ctx context.Context, conn Conn, limit int) (int64, error) {
	if limit < 1 {
		limit = 500
	}
	n, err := conn.Exec(ctx, sweep, s.now().UnixMilli(), int64(limit))
	if err != nil {
		return 0, fmt.Errorf("idem: sweep: %w", err)
	}
	return n, nil
}

// The time is compared again outside the list: PostgreSQL repeats that part,
// and not the list, for a row that was renewed while the statement waited.
const sweep = `
DELETE FROM ashlar_idempotency
WHERE expires_at <= $1 AND (principal, operation, key) IN (
	SELECT principal, operation, key FROM ashlar_idempotency
	WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)`

// row is what is known of a key.
type row struct {
	fingerprint []byte
	owner, ref  string
	leasedUntil int64
	expiresAt   int64
	status      int64
	response    Response
}

const readRow = `
SELECT fingerprint, owner, ref, leased_until, expires_at, status, content_type, location, etag, body
FROM ashlar_idempotency WHERE principal = $1 AND operation = $2 AND key = $3`

func read(ctx context.Context, conn Conn, r *Request) (*row, bool, error) {
	var k row
	found, err := conn.Row(ctx, readRow, []any{r.Principal, r.Operation, r.Key},
		&k.fingerprint, &k.owner, &k.ref, &k.leasedUntil, &k.expiresAt, &k.status,
		&k.response.ContentType, &k.response.Location, &k.response.ETag, &k.response.Body)
	k.response.Status = int(k.status)
	return &k, found, err
}

// answer returns what a request with a live key is told, or neither if the
// key waits for somebody to resume it. No lease that is taken under this clock
// ends later than one from now: what ends after two was taken under a clock that
// was ahead, and would keep retries away until its time comes.
func (k *row) answer(r *Request, now time.Time) (*Response, error) {
	switch {
	case !bytes.Equal(k.fingerprint, r.Fingerprint[:]):
		return nil, ErrReused.Because("The key was used for another request.")
	case k.status != 0:
		return &k.response, nil
	case k.leasedUntil > now.UnixMilli() && k.leasedUntil <= now.Add(2*r.Lease).UnixMilli():
		return nil, inFlight(time.UnixMilli(k.leasedUntil).Sub(now))
	}
	return nil, nil //nolint:nilnil // neither a response nor a refusal: the key can be had
}

// patience is the longest wait that a twin is advised: the first run of a key
// is most likely alive and about to answer, not dead until its lease ends.
const patience = 5 * time.Second

// inFlight advises to wait for what is left of a lease, within patience, and a
// second if that is not known.
func inFlight(left time.Duration) error {
	left = min(max((left+time.Second-1).Truncate(time.Second), time.Second), patience)
	return ErrInFlight.Because("The same request is being worked on.").
		With("retry_after", int(left/time.Second)).After(left)
}
