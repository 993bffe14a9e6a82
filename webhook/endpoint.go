package webhook

import (
	"cmp"
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/id"
)

// What can be wrong with a request for an endpoint. A URL or a filter that is
// not good is a violation, at /url or /types.
const (
	ErrNotFound fault.NotFound = "webhook_not_found"
	ErrTooMany  fault.Conflict = "webhook_limit_reached"
	ErrDisabled fault.Conflict = "webhook_disabled"
)

// State says whether an endpoint is sent anything.
type State string

// The states of an endpoint. Messages of one that is disabled wait.
const (
	Enabled  State = "enabled"
	Disabled State = "disabled"

	deleted State = "deleted" // until all of it is swept
)

// Reason says why an endpoint is disabled.
type Reason string

// The reasons.
const (
	ByOwner Reason = "by_owner"
	Gone    Reason = "gone"    // it answered 410
	Failing Reason = "failing" // for Config.DisableAfter, without a single success
)

// Endpoint is where an account has messages sent.
type Endpoint struct {
	ID           string
	Account      string
	URL          string
	Types        []string // filters: payment.captured, payment.*, *
	Description  string
	State        State
	Reason       Reason // empty while it is enabled
	CreatedAt    time.Time
	ChangedAt    time.Time // of the state
	Failures     int       // attempts in a row that failed
	FailingSince time.Time // zero while it is well
}

// NewEndpoint is what an account asks for.
type NewEndpoint struct {
	URL         string
	Types       []string // 1 to 50 filters
	Description string   // at most 200 characters
}

const endpointColumns = `id, account, url, types, description, state, reason, created_at, changed_at, failures, failing_since`

// endpointRow is an Endpoint as its table has it.
type endpointRow struct {
	ID, Account, URL, Types, Description string
	State                                State
	Reason                               Reason
	CreatedAt, ChangedAt                 int64
	Failures                             int
	FailingSince                         int64
}

func (r endpointRow) endpoint() Endpoint {
	return Endpoint{
		ID: r.ID, Account: r.Account, URL: r.URL, Types: strings.Fields(r.Types), Description: r.Description,
		State: r.State, Reason: r.Reason, CreatedAt: moment(r.CreatedAt), ChangedAt: moment(r.ChangedAt),
		Failures: r.Failures, FailingSince: moment(r.FailingSince),
	}
}

// Create makes an endpoint of an account. The secret is returned this once:
// its owner verifies messages with it. A URL must be https, unless
// Config.AllowHTTP, and lead where Config.Client may call.
func (h *Hooks) Create(ctx context.Context, account string, n NewEndpoint) (Endpoint, Secret, error) {
	if err := h.check(ctx, n); err != nil {
		return Endpoint{}, Secret{}, err
	}
	now := millis(h.cfg.Now())
	row := endpointRow{
		ID: id.New("wh_"), Account: account, URL: n.URL, Types: strings.Join(n.Types, " "), Description: n.Description,
		State: Enabled, CreatedAt: now, ChangedAt: now,
	}
	secret := NewSecret()
	sealed, err := h.vault.seal(row.ID, []sealedSecret{{Secret: secret.Reveal()}})
	if err != nil {
		return Endpoint{}, Secret{}, err
	}
	_, err = db.InTx(ctx, h.cfg.DB, func(tx *db.Tx) (Endpoint, error) {
		count, err := db.One[int](ctx, tx, `SELECT COUNT(*) FROM ashlar_webhook_endpoints WHERE account = $1 AND state <> 'deleted'`, account)
		if err != nil {
			return Endpoint{}, err
		}
		if count >= h.cfg.MaxEndpoints {
			return Endpoint{}, ErrTooMany.Because("An account has at most %d endpoints. Delete one that is not needed.", h.cfg.MaxEndpoints)
		}
		_, err = db.Exec(ctx, tx, `
			INSERT INTO ashlar_webhook_endpoints (id, account, url, types, description, secrets, state, reason,
				created_at, changed_at, failures, failing_since, rest_until)
			VALUES ($1, $2, $3, $4, $5, $6, $7, '', $8, $9, 0, 0, 0)`,
			row.ID, row.Account, row.URL, row.Types, row.Description, sealed, row.State, row.CreatedAt, row.ChangedAt)
		return row.endpoint(), err
	})
	if err != nil {
		return Endpoint{}, Secret{}, err
	}
	return row.endpoint(), secret, nil
}

// The bounds of a NewEndpoint.
const (
	maxURL         = 2000
	maxFilters     = 50
	maxDescription = 200
)

func (h *Hooks) check(ctx context.Context, n NewEndpoint) error {
	v := h.checkURL(ctx, n.URL)
	if len(n.Types) < 1 || len(n.Types) > maxFilters {
		v = v.And("/types", "items", "must have 1 to 50 items")
	}
	for _, f := range n.Types[:min(len(n.Types), maxFilters)] {
		switch {
		case len(f) > maxType || !typeFilter.MatchString(f):
			v = v.And("/types", "malformed", "must be types of messages such as payment.captured, a group such as payment.*, or *")
		case h.cfg.Types != nil && !slices.ContainsFunc(h.cfg.Types, func(t string) bool { return takes([]string{f}, t) }):
			v = v.And("/types", "unknown", "must be types of messages that there are: "+strings.Join(h.cfg.Types, ", "))
		default:
			continue
		}
		break
	}
	if utf8.RuneCountInString(n.Description) > maxDescription {
		v = v.And("/description", "too_long", "must have at most 200 characters")
	}
	return v.Err()
}

func (h *Hooks) checkURL(ctx context.Context, text string) fault.Violations {
	u, err := url.Parse(text)
	switch {
	case err != nil || len(text) > maxURL || u.Host == "" || u.Fragment != "":
		return fault.At("/url", "malformed", "must be a URL of at most 2000 bytes, without a fragment")
	case u.Scheme == "http" && !h.cfg.AllowHTTP:
		return fault.At("/url", "not_https", "must begin with https://, so that nobody on the way reads what is sent")
	}
	// The reason would tell what lies inside, so nobody is told.
	if err := h.cfg.Client.Check(ctx, u); err != nil {
		return fault.At("/url", "not_allowed", "must lead to a public host, at the usual port, without credentials in it")
	}
	return nil
}

// Get returns an endpoint of an account. The error is [ErrNotFound], for one of
// another account too.
func (h *Hooks) Get(ctx context.Context, account, endpoint string) (Endpoint, error) {
	row, err := find(ctx, h.cfg.DB, account, endpoint)
	return row.endpoint(), err
}

func find(ctx context.Context, q db.Querier, account, endpoint string) (endpointRow, error) {
	row, err := db.One[endpointRow](ctx, q, `SELECT `+endpointColumns+` FROM ashlar_webhook_endpoints
		WHERE id = $1 AND account = $2 AND state <> 'deleted'`, endpoint, account)
	if errors.Is(err, db.ErrNoRows) {
		return row, ErrNotFound
	}
	return row, err
}

// List returns the endpoints of an account, newest first. There are at most
// Config.MaxEndpoints.
func (h *Hooks) List(ctx context.Context, account string) ([]Endpoint, error) {
	rows, err := db.All[endpointRow](ctx, h.cfg.DB, `SELECT `+endpointColumns+` FROM ashlar_webhook_endpoints
		WHERE account = $1 AND state <> 'deleted' ORDER BY id DESC`, account)
	return endpoints(rows), err
}

// Find returns an endpoint of whatever account. It is for callers who decide
// themselves who may see what, and for staff. The error is [ErrNotFound].
func (h *Hooks) Find(ctx context.Context, endpoint string) (Endpoint, error) {
	row, err := db.One[endpointRow](ctx, h.cfg.DB, `SELECT `+endpointColumns+` FROM ashlar_webhook_endpoints
		WHERE id = $1 AND state <> 'deleted'`, endpoint)
	if errors.Is(err, db.ErrNoRows) {
		return Endpoint{}, ErrNotFound
	}
	return row.endpoint(), err
}

// All returns endpoints of all accounts, newest first, older than the one
// before (empty for the newest).
func (h *Hooks) All(ctx context.Context, before string, limit int) ([]Endpoint, error) {
	rows, err := db.All[endpointRow](ctx, h.cfg.DB, `SELECT `+endpointColumns+` FROM ashlar_webhook_endpoints
		WHERE id < $1 AND state <> 'deleted' ORDER BY id DESC LIMIT $2`, cmp.Or(before, afterAll), limit)
	return endpoints(rows), err
}

// afterAll sorts behind every id.
const afterAll = "x"

func endpoints(rows []endpointRow) []Endpoint {
	list := make([]Endpoint, len(rows))
	for i, row := range rows {
		list[i] = row.endpoint()
	}
	return list
}

// Delete removes an endpoint. An attempt that is under way still ends; what
// else there is for the endpoint is never sent.
func (h *Hooks) Delete(ctx context.Context, account, endpoint string) error {
	n, err := db.Exec(ctx, h.cfg.DB, `
		UPDATE ashlar_webhook_endpoints SET state = $1, reason = '', secrets = $2, changed_at = $3
		WHERE id = $4 AND account = $5 AND state <> $1`, deleted, []byte{}, millis(h.cfg.Now()), endpoint, account)
	if err == nil && n == 0 {
		err = ErrNotFound
	}
	return err
}

// maxSecrets bounds the secrets of an endpoint that sign at once.
const maxSecrets = 3

// Rotate gives an endpoint a new secret, which is returned this once. For the
// time of overlap messages are signed with the old one as well, so that its
// owner can change over without losing any.
func (h *Hooks) Rotate(ctx context.Context, account, endpoint string, overlap time.Duration) (Secret, error) {
	secret := NewSecret()
	_, err := db.InTx(ctx, h.cfg.DB, func(tx *db.Tx) (string, error) {
		sealed, err := db.One[[]byte](ctx, tx, `SELECT secrets FROM ashlar_webhook_endpoints WHERE id = $1 AND account = $2 AND state <> 'deleted' FOR UPDATE`, endpoint, account)
		if errors.Is(err, db.ErrNoRows) {
			return "", ErrNotFound
		}
		if err != nil {
			return "", err
		}
		now := h.cfg.Now()
		_, all, err := h.vault.open(endpoint, sealed, now)
		if err != nil {
			return "", err
		}
		until := millis(now.Add(overlap))
		kept := []sealedSecret{{Secret: secret.Reveal()}}
		for _, old := range all {
			if old.Until == 0 || old.Until > until {
				old.Until = until
			}
			if len(kept) < maxSecrets {
				kept = append(kept, old)
			}
		}
		if sealed, err = h.vault.seal(endpoint, kept); err != nil {
			return "", err
		}
		_, err = db.Exec(ctx, tx, `UPDATE ashlar_webhook_endpoints SET secrets = $1 WHERE id = $2`, sealed, endpoint)
		return "", err
	})
	if err != nil {
		return Secret{}, err
	}
	return secret, nil
}

// Enable has an endpoint sent what waits for it, and all that follows.
func (h *Hooks) Enable(ctx context.Context, account, endpoint string) (Endpoint, error) {
	return h.turn(ctx, account, endpoint, Enabled, "")
}

// Disable has what is for an endpoint wait, for at most Config.Retention.
func (h *Hooks) Disable(ctx context.Context, account, endpoint string) (Endpoint, error) {
	return h.turn(ctx, account, endpoint, Disabled, ByOwner)
}

func (h *Hooks) turn(ctx context.Context, account, endpoint string, to State, why Reason) (Endpoint, error) {
	return db.InTx(ctx, h.cfg.DB, func(tx *db.Tx) (Endpoint, error) {
		_, err := db.Exec(ctx, tx, `
			UPDATE ashlar_webhook_endpoints
			SET state = $1, reason = $2, changed_at = $3, failures = 0, failing_since = 0, rest_until = 0, rested_at = 0
			WHERE id = $4 AND account = $5 AND state <> $1 AND state <> 'deleted'`, to, why, millis(h.cfg.Now()), endpoint, account)
		if err != nil {
			return Endpoint{}, err
		}
		row, err := find(ctx, tx, account, endpoint)
		tx.Signal(channel, "")
		return row.endpoint(), err
	})
}
