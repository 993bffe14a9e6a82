package auth

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/rule"
)

// Factors are second factors: authenticators that show time-based codes (RFC
// 6238), and recovery codes for when one is lost. It is a [SecondFactor]. Make
// it with [NewFactors].
type Factors struct {
	store  FactorStore
	sealer sealer
	prove  func(ctx context.Context, password string) (Account, error)
	issuer string
	now    func() time.Time
}

// FactorsConfig is what Factors works with.
type FactorsConfig struct {
	// Store is required.
	Store FactorStore
	// Keys, of 32 bytes each, encrypt the secrets in Store. The first encrypts,
	// all decrypt, and what an older one encrypted is encrypted anew when it is
	// next used. Required.
	Keys [][]byte
	// Prove returns the account of the principal of ctx if this is its password:
	// [Accounts.Prove]. Required.
	Prove func(ctx context.Context, password string) (Account, error)
	// Issuer names the application in the authenticator. Required.
	Issuer string
	// Now is the clock. Nil means time.Now.
	Now func() time.Time
}

// NewFactors returns the service, or says which setting is missing.
func NewFactors(c FactorsConfig) (*Factors, error) {
	if c.Store == nil || c.Prove == nil || c.Issuer == "" {
		return nil, failure("auth: second factors need a store, an issuer, and a way to prove a password")
	}
	s, err := newSealer(c.Keys)
	if err != nil {
		return nil, err
	}
	f := &Factors{store: c.Store, sealer: s, prove: c.Prove, issuer: c.Issuer, now: c.Now}
	if f.now == nil {
		f.now = time.Now
	}
	return f, nil
}

// The faults of second factors, beside those of [SecondFactor].
const (
	// ErrNoFactor answers an account that has no second factor.
	ErrNoFactor fault.NotFound = "second_factor_not_found"
	// ErrFactor answers an account that has one already.
	ErrFactor fault.Conflict = "second_factor_exists"
	// ErrFactorThrottled answers codes after too many that were wrong.
	ErrFactorThrottled fault.Limited = "second_factor_throttled"
)

// The events of second factors.
const (
	EventFactorAdded      EventKind = "factor_added"
	EventFactorRemoved    EventKind = "factor_removed"
	EventRecoveryCodeUsed EventKind = "recovery_code_used"
)

// EnrolTOTP asks for an authenticator's secret.
type EnrolTOTP struct {
	Password string `json:"password"`
}

// Rules says what can be a password at all.
func (in *EnrolTOTP) Rules(r *rule.Set) { rule.Text(r, &in.Password).Len(1, MaxPassword).Secret() }

// TOTPEnrolment is a secret for an authenticator.
type TOTPEnrolment struct {
	Secret string `json:"secret"` // to be typed
	URI    string `json:"uri"`    // to be shown as a picture
}

// ConfirmTOTP shows that an authenticator has the secret.
type ConfirmTOTP struct {
	Code string `json:"code"`
}

// Rules bounds a code.
func (in *ConfirmTOTP) Rules(r *rule.Set) { rule.Text(r, &in.Code).Len(1, 64).Secret() }

// RecoveryCodes are for when the authenticator is lost; each is good once.
type RecoveryCodes struct {
	RecoveryCodes []string `json:"recovery_codes"`
}

// RemoveTOTP proves who asks: by the password, or by a code.
type RemoveTOTP struct {
	Password string `json:"password,omitzero"`
	Code     string `json:"code,omitzero"`
}

// Rules bounds both.
func (in *RemoveTOTP) Rules(r *rule.Set) {
	rule.Text(r, &in.Password).Len(1, MaxPassword).Secret()
	rule.Text(r, &in.Code).Len(1, 64).Secret()
}

// enrolWithin is how long a secret waits to be confirmed.
const enrolWithin = 10 * time.Minute

// Enrol returns a secret for the authenticator of the principal of ctx. It
// counts once [Factors.Confirm] was given a code of it, within ten minutes.
// The error is that of [Accounts.Prove], [ErrFactor], or the store's.
func (f *Factors) Enrol(ctx context.Context, in EnrolTOTP) (TOTPEnrolment, error) {
	account, err := f.prove(ctx, in.Password)
	if err != nil {
		return TOTPEnrolment{}, err
	}
	secret := newTOTP()
	err = f.store.EnrolFactor(ctx, Factor{Account: account.ID, Sealed: f.sealer.seal(account.ID, secret), CreatedAt: f.time()})
	if err != nil {
		return TOTPEnrolment{}, fmt.Errorf("enrol a second factor: %w", err)
	}
	return TOTPEnrolment{Secret: textOfTOTP(secret), URI: uriOfTOTP(f.issuer, account.Email, secret)}, nil
}

func (f *Factors) time() time.Time { return f.now().UTC().Truncate(time.Millisecond) }

// Confirm makes the secret that the principal of ctx enrolled its second
// factor, if code is of it, and returns the recovery codes. They are kept
// nowhere but as hashes. The error is a violation of /code, [ErrNoFactor] if
// nothing waits to be confirmed, [ErrFactorThrottled], [fault.ErrDenied] for an API key, or the
// store's.
func (f *Factors) Confirm(ctx context.Context, in ConfirmTOTP) (RecoveryCodes, error) {
	who, err := person(ctx)
	if err != nil {
		return RecoveryCodes{}, err
	}
	factor, err := f.store.Factor(ctx, who.ID)
	if err != nil {
		return RecoveryCodes{}, fmt.Errorf("confirm a second factor: %w", err)
	}
	if factor.ConfirmedAt != nil || f.now().Sub(factor.CreatedAt) >= enrolWithin {
		return RecoveryCodes{}, ErrNoFactor.Because("Nothing waits to be confirmed. Enrol again.")
	}
	code, kind := parseCode(in.Code)
	if kind != totpKind {
		return RecoveryCodes{}, wrongCode()
	}
	if err := f.count(ctx, &factor); err != nil {
		return RecoveryCodes{}, err
	}
	secret, _, err := f.sealer.open(who.ID, factor.Sealed)
	if err != nil {
		return RecoveryCodes{}, err
	}
	step, ok := matchTOTP(secret, code, f.now(), factor.LastStep)
	if !ok {
		return RecoveryCodes{}, wrongCode()
	}
	codes, hashes := newRecoveryCodes(who.ID)
	event := NewEvent(ctx, EventFactorAdded, Succeeded)
	event.Subject = who.ID
	ok, err = f.store.ConfirmFactor(ctx, who.ID, factor.Sealed, step, f.time(), hashes, event)
	switch {
	case err != nil:
		return RecoveryCodes{}, fmt.Errorf("confirm a second factor: %w", err)
	case !ok:
		return RecoveryCodes{}, ErrNoFactor.Because("Nothing waits to be confirmed any more.")
	}
	return RecoveryCodes{codes}, nil
}

func wrongCode() error {
	return fault.At("/code", "wrong", "is not a code that is good now")
}

// Remove ends the second factor of the principal of ctx, and its recovery
// codes. The error is that of [Accounts.Prove], a violation of /code,
// [ErrNoFactor], [ErrFactorThrottled], [fault.ErrDenied] for an API key, or the store's.
func (f *Factors) Remove(ctx context.Context, in RemoveTOTP) error {
	who, err := person(ctx)
	if err != nil {
		return err
	}
	switch {
	case in.Password != "":
		_, err = f.prove(ctx, in.Password)
	case in.Code != "":
		if err = f.check(ctx, who.ID, in.Code); errors.Is(err, ErrSecondFactor) {
			err = wrongCode()
		}
	default:
		err = fault.At("/password", "required", "must be given, or a code")
	}
	if err != nil {
		return err
	}
	event := NewEvent(ctx, EventFactorRemoved, Succeeded)
	event.Subject = who.ID
	removed, err := f.store.RemoveFactor(ctx, who.ID, event)
	switch {
	case err != nil:
		return fmt.Errorf("remove a second factor: %w", err)
	case !removed:
		return ErrNoFactor
	}
	return nil
}

// Required implements [SecondFactor].
func (f *Factors) Required(ctx context.Context, account string) (bool, error) {
	factor, err := f.store.Factor(ctx, account)
	switch {
	case errors.Is(err, ErrNoFactor):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("find a second factor: %w", err)
	}
	return factor.ConfirmedAt != nil, nil
}

// Check implements [SecondFactor]. It may also return [ErrFactorThrottled]:
// after five wrong codes the account waits a quarter of an hour, then twice as
// long after each five more, a day at most. Until a code is right, a guesser
// has some 1 900 tries in a year, each of which is right three times in a
// million. A recovery code is taken meanwhile: no number of tries finds one,
// and whoever has one is not kept out by whoever guesses.
func (f *Factors) Check(ctx context.Context, account, code string) error {
	err := f.check(ctx, account, code)
	if errors.Is(err, ErrNoFactor) { // removed since it was asked for
		return ErrSecondFactor.Wrap(err)
	}
	return err
}

// check is Check, and [ErrNoFactor] for an account without a factor.
func (f *Factors) check(ctx context.Context, account, text string) error {
	factor, err := f.store.Factor(ctx, account)
	if err == nil && factor.ConfirmedAt == nil {
		err = ErrNoFactor
	}
	if err != nil {
		return fmt.Errorf("check a second factor: %w", err)
	}
	switch code, kind := parseCode(text); kind {
	case totpKind:
		return f.checkTOTP(ctx, factor, code)
	case recoveryKind:
		return f.checkRecovery(ctx, factor, code)
	case noCode:
	}
	return ErrSecondFactor.Wrap(failure("it has the form of no code"))
}

func (f *Factors) checkTOTP(ctx context.Context, factor Factor, code string) error {
	if err := f.count(ctx, &factor); err != nil {
		return err
	}
	secret, stale, err := f.sealer.open(factor.Account, factor.Sealed)
	if err != nil {
		return err
	}
	step, ok := matchTOTP(secret, code, f.now(), factor.LastStep)
	if !ok {
		return ErrSecondFactor.Wrap(failure("the code is wrong, old or used"))
	}
	ok, err = f.store.UseFactor(ctx, factor.Account, step)
	switch {
	case err != nil:
		return fmt.Errorf("use a second factor: %w", err)
	case !ok:
		return ErrSecondFactor.Wrap(failure("the code was used at this moment"))
	}
	if stale {
		if err := f.store.ResealFactor(ctx, factor.Account, factor.Sealed, f.sealer.seal(factor.Account, secret)); err != nil {
			return fmt.Errorf("encrypt a second factor anew: %w", err)
		}
	}
	return nil
}

func (f *Factors) checkRecovery(ctx context.Context, factor Factor, code string) error {
	event := NewEvent(ctx, EventRecoveryCodeUsed, Succeeded)
	event.Subject = factor.Account
	used, err := f.store.UseRecoveryCode(ctx, factor.Account, hashRecoveryCode(factor.Account, code), event)
	if err != nil {
		return fmt.Errorf("use a recovery code: %w", err)
	}
	if used {
		return nil
	}
	if err := f.count(ctx, &factor); err != nil {
		return err
	}
	return ErrSecondFactor.Wrap(failure("there is no such recovery code, or it was used"))
}

// How many codes may be wrong before an account waits, and how long.
const (
	freeTries   = 5
	firstWait   = 15 * time.Minute
	longestWait = 24 * time.Hour
)

// wait is how long an account has to wait before another code is looked at.
func (f *Factors) wait(factor Factor) time.Duration {
	if factor.Tries == 0 || factor.Tries%freeTries != 0 || factor.TriedAt == nil {
		return 0
	}
	wait := longestWait
	if round := factor.Tries/freeTries - 1; round < 7 { // 2^7 quarters of an hour are more than a day
		wait = min(wait, firstWait<<round)
	}
	return factor.TriedAt.Add(wait).Sub(f.now())
}

// count takes one of the tries that an account has left. It does so before the
// code is compared, so that a thousand at once are not a thousand tries.
func (f *Factors) count(ctx context.Context, factor *Factor) error {
	for range 2 * freeTries {
		if wait := f.wait(*factor); wait > 0 {
			return ErrFactorThrottled.After(wait)
		}
		counted, err := f.store.TryFactor(ctx, factor.Account, factor.Tries, f.time())
		if err != nil {
			return fmt.Errorf("count a code: %w", err)
		}
		if counted {
			return nil
		}
		if *factor, err = f.store.Factor(ctx, factor.Account); err != nil {
			return fmt.Errorf("count a code: %w", err)
		}
	}
	return ErrFactorThrottled.After(time.Second) // nobody types that fast
}
