package ashlar

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/auth"
	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/op"
	"github.com/ashlar-go/ashlar/trace"
)

// openAPIKeys prepares API keys.
func (a *App) openAPIKeys() error {
	refused, err := a.metrics.Counter("ashlar_api_key_refused_total", "API keys that were refused.", "reason")
	if err != nil {
		return err
	}
	a.apiKeys = auth.NewAPIKeys(auth.APIKeysConfig{
		Store: apiKeyTable{a}, Accounts: accountTable{a}, Policy: a.Policy, Revocations: a.revocations,
		Refused: func(reason string) { refused.With(reason).Inc() },
	})
	return nil
}

// apiKey finds the principal of an API key.
func (a *App) apiKey(ctx context.Context, key string) (access.Principal, error) {
	return a.apiKeys.Verify(ctx, key)
}

func (a *App) apiKeyOperations() []op.Operation {
	return []op.Operation{
		op.Command("api_keys.create", "POST /v1/api-keys", a.apiKeys.Create,
			op.Authenticated(), op.Created(""), apiKeyLimit(), op.Fails(fault.ErrDenied, auth.ErrAPIKeys, auth.ErrNoAPIKey)),
		op.Query("api_keys.list", "GET /v1/api-keys", a.listAPIKeys, op.Authenticated(), op.Fails(op.ErrCursor)),
		op.Command("api_keys.end", "DELETE /v1/api-keys/{id}", a.endAPIKey, op.Authenticated(), op.Fails(auth.ErrNoAPIKey)),
	}
}

// apiKeyLimit lets an owner replace all keys at once, and not fill the table,
// in which keys stay for a while after their end.
func apiKeyLimit() op.Option { return op.Limit(2*auth.MaxAPIKeys, time.Hour) }

func apiKeyDocs() op.Docs {
	return op.Docs{
		authPackage + "APIKeys.Create":      "Create makes an API key for the caller.\n\nThe key is shown this once. It may do what is asked for here and its owner's role allows at the time of use; permissions that the caller does not have are refused. A key that was made by a key ends and expires with it.",
		authPackage + "NewAPIKey.Name":      "What the key is for, for whoever reads the list.",
		authPackage + "NewAPIKey.ExpiresAt": "From when on the key is refused; null for never.",
		authPackage + "IssuedAPIKey.Key":    "Send it as Authorization: Bearer. It is shown this once and kept nowhere.",
		authPackage + "APIKey.Hint":         "How the key starts, to tell which one lies somewhere.",
		authPackage + "APIKey.Parent":       "The key that made this one, if a key did.",
		authPackage + "APIKey.LastUsedAt":   "Up to a minute late; null if it was never used.",
		authPackage + "APIKey.ExpiresAt":    "From when on the key is refused; null for never.",
		authPackage + "APIKey.Permissions":  "What bounds the key, beside the role of its owner.",
		rootPackage + "App.listAPIKeys":     "listAPIKeys lists the caller's API keys, oldest first, without those that were ended.\n\nA caller that is itself an API key sees itself and the keys it made.",
		rootPackage + "App.endAPIKey":       "endAPIKey ends an API key, and the keys that it made.\n\nIt is refused on every instance within a second.",
	}
}

type apiKeyList struct{ op.Paging }

func (a *App) listAPIKeys(ctx context.Context, in apiKeyList) (op.Page[auth.APIKey], error) {
	after, err := in.Cursor.Key()
	if err != nil {
		return op.Page[auth.APIKey]{}, err
	}
	keys, err := a.apiKeys.List(ctx, after, in.Size()+1)
	if err != nil {
		return op.Page[auth.APIKey]{}, err
	}
	return op.PageOf(keys, in.Size(), func(k auth.APIKey) string { return k.ID }), nil
}

func (a *App) endAPIKey(ctx context.Context, in auth.ByAPIKey) (struct{}, error) {
	return struct{}{}, a.apiKeys.End(ctx, in.ID)
}

const (
	// noteAPIKeysEvery is how often it is written when keys were last used.
	noteAPIKeysEvery = 5 * time.Second
	// keepEndedAPIKeys is how long it can be looked up what a key was that has
	// ended.
	keepEndedAPIKeys = 90 * 24 * time.Hour
)

// noteAPIKeys writes when keys were used until ctx ends, and deletes those that
// ended long ago.
func (a *App) noteAPIKeys(ctx context.Context) (err error) {
	defer func() { // what was used since, though ctx has ended
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		err = errors.Join(err, a.apiKeys.Flush(last))
	}()
	tick := time.NewTicker(noteAPIKeysEvery)
	defer tick.Stop()
	var swept time.Time
	for {
		if time.Since(swept) > time.Hour {
			if _, err := db.Exec(ctx, a.DB, `DELETE FROM ashlar_api_keys WHERE ended_at < $1`, time.Now().UTC().Add(-keepEndedAPIKeys)); err != nil {
				return fmt.Errorf("delete ended API keys: %w", err)
			}
			swept = time.Now()
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if err := trace.Do(ctx, "ashlar.api-keys.note", a.apiKeys.Flush); err != nil {
				return err
			}
		}
	}
}

// apiKeyTable keeps API keys in the app's database.
type apiKeyTable struct{ app *App }

const apiKeyColumns = `id, owner, name, permissions, parent, digest, created_at, expires_at, last_used_at, ended_at` // #nosec G101 -- names of columns

// keyLine is the common table of a key's line: itself, the keys it made, and
// so on. Its one parameter is the key.
const keyLine = `WITH RECURSIVE line(id) AS (
	SELECT id FROM ashlar_api_keys WHERE id = %s
	UNION ALL SELECT made.id FROM ashlar_api_keys made JOIN line ON made.parent = line.id) `

// InsertAPIKey implements [auth.APIKeyStore].
func (t apiKeyTable) InsertAPIKey(ctx context.Context, k auth.APIKey, e auth.SecurityEvent) error {
	_, err := db.InTx(ctx, t.app.DB, func(tx *db.Tx) (struct{}, error) {
		if k.Parent != "" {
			// A write, so that a parent that is ended at this moment waits for
			// this transaction, or this one for that.
			n, err := db.Exec(ctx, tx, `UPDATE ashlar_api_keys SET parent = parent WHERE id = $1 AND ended_at IS NULL`, k.Parent)
			if err == nil && n == 0 {
				err = auth.ErrNoAPIKey
			}
			if err != nil {
				return struct{}{}, err
			}
		}
		n, err := db.One[int](ctx, tx, `SELECT count(*) FROM ashlar_api_keys WHERE owner = $1 AND ended_at IS NULL`, k.Owner)
		if err == nil && n >= auth.MaxAPIKeys {
			err = auth.ErrAPIKeys
		}
		if err != nil {
			return struct{}{}, err
		}
		_, err = db.Exec(ctx, tx, `INSERT INTO ashlar_api_keys (`+apiKeyColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
			k.ID, k.Owner, k.Name, k.Permissions, k.Parent, k.Digest, k.CreatedAt, k.ExpiresAt, k.LastUsedAt, k.EndedAt)
		if err != nil {
			return struct{}{}, err
		}
		return struct{}{}, t.app.audit().record(ctx, tx, e)
	})
	return err
}

// APIKey implements [auth.APIKeyStore].
func (t apiKeyTable) APIKey(ctx context.Context, id string) (auth.APIKey, error) {
	k, err := db.One[auth.APIKey](ctx, t.app.DB, `SELECT `+apiKeyColumns+` FROM ashlar_api_keys WHERE id = $1`, id)
	if errors.Is(err, db.ErrNoRows) {
		return auth.APIKey{}, auth.ErrNoAPIKey
	}
	return k, err
}

// APIKeys implements [auth.APIKeyStore].
func (t apiKeyTable) APIKeys(ctx context.Context, owner, line, after string, limit int) ([]auth.APIKey, error) {
	with, within, args := "", "", []any{owner, after, limit}
	if line != "" {
		with, within, args = fmt.Sprintf(keyLine, "$4"), " AND id IN (SELECT id FROM line)", append(args, line)
	}
	return db.All[auth.APIKey](ctx, t.app.DB, with+`SELECT `+apiKeyColumns+` FROM ashlar_api_keys
		WHERE owner = $1 AND id > $2 AND ended_at IS NULL`+within+` ORDER BY id LIMIT $3`, args...)
}

// EndAPIKey implements [auth.APIKeyStore].
func (t apiKeyTable) EndAPIKey(ctx context.Context, owner, line, id string, at time.Time, e auth.SecurityEvent) ([]string, error) {
	return db.InTx(ctx, t.app.DB, func(tx *db.Tx) ([]string, error) {
		if line != "" {
			n, err := db.One[int](ctx, tx, fmt.Sprintf(keyLine, "$1")+`SELECT count(*) FROM line WHERE id = $2`, line, id)
			if err == nil && n == 0 {
				err = auth.ErrNoAPIKey
			}
			if err != nil {
				return nil, err
			}
		}
		// First the key, then what it made: whoever makes another with it waits
		// for this row.
		n, err := db.Exec(ctx, tx, `UPDATE ashlar_api_keys SET ended_at = $3 WHERE id = $1 AND owner = $2 AND ended_at IS NULL`, id, owner, at)
		if err == nil && n == 0 {
			err = auth.ErrNoAPIKey
		}
		if err != nil {
			return nil, err
		}
		ended := []string{id}
		for {
			// Again until there is none: a key of the line may just have made
			// another one, which a statement that began before does not see.
			more, err := db.All[string](ctx, tx, fmt.Sprintf(keyLine, "$1")+`UPDATE ashlar_api_keys SET ended_at = $2
				WHERE id IN (SELECT id FROM line) AND ended_at IS NULL RETURNING id`, id, at)
			if err != nil {
				return nil, err
			}
			if len(more) == 0 {
				break
			}
			ended = append(ended, more...)
		}
		if err := t.app.audit().record(ctx, tx, e); err != nil {
			return nil, err
		}
		list := make([]auth.Revocation, len(ended))
		for i, one := range ended {
			list[i] = auth.Revocation{Subject: owner, Credential: one}
		}
		return ended, t.app.recordRevocations(ctx, tx, list...)
	})
}

// UsedAPIKeys implements [auth.APIKeyStore].
func (t apiKeyTable) UsedAPIKeys(ctx context.Context, at map[string]time.Time) error {
	_, err := db.InTx(ctx, t.app.DB, func(tx *db.Tx) (struct{}, error) {
		for _, id := range slices.Sorted(maps.Keys(at)) { // in one order, so that two instances cannot wait for each other
			_, err := db.Exec(ctx, tx, `UPDATE ashlar_api_keys SET last_used_at = $2 WHERE id = $1 AND (last_used_at IS NULL OR last_used_at <= $3)`,
				id, at[id], at[id].Add(-time.Minute))
			if err != nil {
				return struct{}{}, err
			}
		}
		return struct{}{}, nil
	})
	return err
}
