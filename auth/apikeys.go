package auth

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/fault"
)

// APIKeys makes API keys and says who holds one. Make it with [NewAPIKeys].
type APIKeys struct {
	store       APIKeyStore
	accounts    accountByID
	policy      *access.Policy
	revocations *Revocations
	refused     func(reason string)
	now         func() time.Time
	held        *heldKeys

	mu   sync.Mutex
	used map[string]time.Time // what Flush has to write
}

// accountByID is the part of [Store] that is about one account.
type accountByID interface {
	ByID(ctx context.Context, id string) (Account, error)
}

// APIKeysConfig is what APIKeys works with.
type APIKeysConfig struct {
	// Store, Accounts and Policy are required. Accounts is a [Store], or
	// whatever else has the accounts that keys act for.
	Store    APIKeyStore
	Accounts accountByID
	Policy   *access.Policy
	// Revocations end a key that is remembered, on every instance. Nil means
	// that only this process ends keys.
	Revocations *Revocations
	// Remember is how many keys are remembered, each for a minute at most: zero
	// means 10 000, about 5 MB; negative means none.
	Remember int
	// Refused, if set, hears of each key that was refused, and why: "malformed",
	// "unknown", "ended", "expired" or "owner". It must be quick.
	Refused func(reason string)
	// Now is the clock. Nil means time.Now.
	Now func() time.Time
}

// NewAPIKeys returns the service.
func NewAPIKeys(c APIKeysConfig) *APIKeys {
	k := &APIKeys{
		store: c.Store, accounts: c.Accounts, policy: c.Policy, revocations: c.Revocations,
		refused: c.Refused, now: c.Now, held: newHeldKeys(c.Remember), used: map[string]time.Time{},
	}
	if k.now == nil {
		k.now = time.Now
	}
	if k.revocations == nil {
		k.revocations = NewRevocations(k.now)
	}
	if k.refused == nil {
		k.refused = func(string) {}
	}
	return k
}

// Create makes a key for the principal of ctx. It never has more than the
// principal: a permission that it lacks is [fault.ErrDenied], which names it.
// One that nobody knows, and a life that is over or longer than that of the key
// that asks, are [fault.Violations]. It may also return [ErrAPIKeys], or the
// store's error.
func (k *APIKeys) Create(ctx context.Context, in NewAPIKey) (IssuedAPIKey, error) {
	who, now := access.From(ctx), k.now().UTC().Truncate(time.Millisecond)
	if err := k.mayHave(who, in, now); err != nil {
		return IssuedAPIKey{}, err
	}
	if _, err := k.accounts.ByID(ctx, who.ID); errors.Is(err, ErrNoAccount) {
		return IssuedAPIKey{}, fault.ErrDenied.Because("Only accounts of this application can have API keys.")
	} else if err != nil {
		return IssuedAPIKey{}, fmt.Errorf("make an API key: %w", err)
	}
	made := APIKey{Name: in.Name, Permissions: in.Permissions, Parent: lineOf(who), CreatedAt: now, Owner: who.ID}
	if in.ExpiresAt != nil {
		end := in.ExpiresAt.UTC().Truncate(time.Millisecond)
		made.ExpiresAt = &end
	}
	if made.Parent != "" {
		if err := k.withinParent(ctx, &made); err != nil {
			return IssuedAPIKey{}, err
		}
	}
	var key string
	made.ID, key = newAPIKey()
	digest := digestAPIKey(key)
	made.Digest, made.Hint = digest[:], hintOf(made.ID)
	event := NewEvent(ctx, EventAPIKeyCreated, Succeeded)
	event.Subject, event.Detail, event.Credential = who.ID, madeBy(who), made.ID
	if err := k.store.InsertAPIKey(ctx, made, event); err != nil {
		return IssuedAPIKey{}, fmt.Errorf("make an API key: %w", err)
	}
	return IssuedAPIKey{APIKey: made, Key: key}, nil
}

func madeBy(who access.Principal) string {
	if who.Credential == "" {
		return ""
	}
	return "by " + who.Credential // an id of ours
}

// mayHave refuses what this principal may not ask for.
func (k *APIKeys) mayHave(who access.Principal, in NewAPIKey, now time.Time) error {
	var v fault.Violations
	var lacks []access.Permission
	for i, p := range in.Permissions {
		switch {
		case k.policy.Set(p).Empty():
			v = v.And("/permissions/"+strconv.Itoa(i), "unknown", "must be a permission of this application")
		case !who.Can(p):
			lacks = append(lacks, p)
		}
	}
	if in.ExpiresAt != nil && !in.ExpiresAt.After(now) {
		v = v.And("/expires_at", "past", "must be in the future")
	}
	if err := v.Err(); err != nil {
		return err
	}
	if len(lacks) > 0 {
		return fault.ErrDenied.Because("A key cannot have permissions that you do not have.").With("permissions", lacks)
	}
	return nil
}

// withinParent bounds a key's life by that of the key that makes it.
func (k *APIKeys) withinParent(ctx context.Context, made *APIKey) error {
	parent, err := k.store.APIKey(ctx, made.Parent)
	if err != nil {
		return fmt.Errorf("make an API key: %w", err)
	}
	switch {
	case parent.ExpiresAt == nil:
	case made.ExpiresAt == nil:
		made.ExpiresAt = parent.ExpiresAt
	case made.ExpiresAt.After(*parent.ExpiresAt):
		return fault.At("/expires_at", "after_parent", "must not be after the key that makes it expires")
	}
	return nil
}

// lineOf is the key that who came by, or empty for a person. A key reaches no
// further than its own line: one that leaked must not end or list the others.
func lineOf(who access.Principal) string {
	if strings.HasPrefix(who.Credential, keyIDPrefix) {
		return who.Credential
	}
	return ""
}

// List returns up to limit keys of the principal of ctx with an id after this
// one, oldest first; none that has ended. To a key its own line is all.
func (k *APIKeys) List(ctx context.Context, after string, limit int) ([]APIKey, error) {
	who := access.From(ctx)
	list, err := k.store.APIKeys(ctx, who.ID, lineOf(who), after, limit)
	if err != nil {
		return nil, fmt.Errorf("list API keys: %w", err)
	}
	for i := range list {
		list[i].Hint = hintOf(list[i].ID)
	}
	return list, nil
}

// End ends a key of the principal of ctx and those it made. One that is
// another's, or not of the line of the key that asks, is [ErrNoAPIKey] as one
// that never was.
func (k *APIKeys) End(ctx context.Context, id string) error {
	who := access.From(ctx)
	event := NewEvent(ctx, EventAPIKeyEnded, Succeeded)
	event.Subject, event.Detail, event.Credential = who.ID, madeBy(who), id
	now := k.now()
	ended, err := k.store.EndAPIKey(ctx, who.ID, lineOf(who), id, now.UTC().Truncate(time.Millisecond), event)
	if err != nil {
		return fmt.Errorf("end an API key: %w", err)
	}
	for _, one := range ended {
		// Whoever read it a moment ago may remember it only now.
		k.revocations.Apply(Revocation{Subject: who.ID, Credential: one, Until: now.Add(2 * rememberKey)})
	}
	return nil
}

// Verify returns who holds a key: its owner, with the part of the key's
// permissions that the owner's role allows now. The error is [ErrToken]; why is
// its cause, for the log.
//
// A key that cannot be one is refused before anything is looked up. One that
// was good within the last minute is remembered, and costs a hash; that it
// ended, its owner was disabled or has another role by now, counts at once.
func (k *APIKeys) Verify(ctx context.Context, key string) (access.Principal, error) {
	part, ok := parseAPIKey(key)
	if !ok {
		return k.refuse("malformed")
	}
	now := k.now()
	held := k.held.get(part, now)
	if held != nil {
		if who, ok := k.judge(held); ok {
			return k.admit(held, who, key, now)
		}
	}
	held, reason, err := k.load(ctx, keyIDPrefix+part, now)
	if err != nil {
		return access.Principal{}, fmt.Errorf("find an API key: %w", err)
	}
	if reason != "" {
		return k.refuse(reason)
	}
	who, ok := k.judge(held)
	if !ok {
		return k.refuse("owner")
	}
	digest := digestAPIKey(key)
	if sameDigest(digest[:], held.digest[:]) {
		k.held.put(held.part, held) // not for a guess: those are unbounded
	}
	return k.admit(held, who, key, now)
}

// judge asks the revocations about the key's owner, and returns the owner as
// they are now.
func (k *APIKeys) judge(held *heldKey) (access.Principal, bool) {
	c := held.owner
	if k.revocations.Judge(&c) != nil {
		return access.Principal{}, false
	}
	who := k.policy.Principal(c.Subject, c.Account, c.Role)
	who.Credential = held.id
	who.Granted = who.Granted.And(held.scope)
	return who, true
}

// admit is the last word on a key whose owner is fine.
func (k *APIKeys) admit(held *heldKey, who access.Principal, key string, now time.Time) (access.Principal, error) {
	digest := digestAPIKey(key)
	switch {
	case !sameDigest(digest[:], held.digest[:]):
		return k.refuse("unknown")
	case k.revocations.Ended(held.id):
		return k.refuse("ended")
	case !held.expires.IsZero() && !now.Before(held.expires):
		return k.refuse("expired")
	}
	k.note(held, now)
	return who, nil
}

func (k *APIKeys) refuse(reason string) (access.Principal, error) {
	k.refused(reason)
	return access.Principal{}, ErrToken.Wrap(failure("API key is refused: " + reason))
}

// load reads a key and its owner. The reason is why it cannot be used.
func (k *APIKeys) load(ctx context.Context, id string, now time.Time) (held *heldKey, reason string, err error) {
	if k.revocations.Ended(id) {
		return nil, "ended", nil
	}
	stored, err := k.store.APIKey(ctx, id)
	switch {
	case errors.Is(err, ErrNoAPIKey):
		return nil, "unknown", nil
	case err != nil:
		return nil, "", err
	case len(stored.Digest) != sha256.Size:
		return nil, "unknown", nil
	}
	owner, err := k.accounts.ByID(ctx, stored.Owner)
	switch {
	case errors.Is(err, ErrNoAccount):
		return nil, "owner", nil
	case err != nil:
		return nil, "", err
	case owner.DisabledAt != nil:
		return nil, "owner", nil
	case stored.EndedAt != nil:
		return nil, "ended", nil
	}
	held = &heldKey{
		id: stored.ID, part: strings.TrimPrefix(stored.ID, keyIDPrefix), digest: [sha256.Size]byte(stored.Digest),
		owner: Claims{Subject: owner.ID, Account: owner.Tenant, Role: owner.Role, Epoch: owner.Epoch},
		scope: k.policy.Set(stored.Permissions...), until: now.Add(rememberKey),
	}
	if stored.ExpiresAt != nil {
		held.expires = *stored.ExpiresAt
	}
	if stored.LastUsedAt != nil {
		held.noted.Store(stored.LastUsedAt.UnixNano())
	}
	return held, "", nil
}

// noteEvery is how often at most a key's last use is written.
const noteEvery = time.Minute

// note remembers for Flush that a key was used, once a minute.
func (k *APIKeys) note(held *heldKey, now time.Time) {
	last := held.noted.Load()
	if now.UnixNano()-last < int64(noteEvery) || !held.noted.CompareAndSwap(last, now.UnixNano()) {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.used[held.id] = now.UTC().Truncate(time.Millisecond)
}

// Flush writes when keys were last used. Call it every few seconds, and once at
// the end; no request waits for it. What could not be written stays for the
// next call.
func (k *APIKeys) Flush(ctx context.Context) error {
	k.mu.Lock()
	used := k.used
	k.used = map[string]time.Time{}
	k.mu.Unlock()
	if len(used) == 0 {
		return nil
	}
	if err := k.store.UsedAPIKeys(ctx, used); err != nil {
		k.mu.Lock()
		maps.Copy(used, k.used)
		k.used = used
		k.mu.Unlock()
		return fmt.Errorf("note when API keys were used: %w", err)
	}
	return nil
}
