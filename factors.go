package ashlar

import (
	"context"
	"errors"
	"time"

	"github.com/ashlar-go/ashlar/auth"
	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/op"
)

// openFactors prepares second factors. It comes before the accounts, which ask
// for them at sign-in.
func (a *App) openFactors() (err error) {
	a.factors, err = auth.NewFactors(auth.FactorsConfig{
		Store: factorTable{a.DB, a.audit()}, Keys: [][]byte{a.signing.Derive("second factors")}, Issuer: a.cfg.Issuer,
		Prove: func(ctx context.Context, password string) (auth.Account, error) {
			return a.Accounts.Prove(ctx, password)
		},
	})
	return err
}

func (a *App) factorOperations() []op.Operation {
	return []op.Operation{
		op.Command("auth.totp.enrol", "POST /v1/auth/totp", a.factors.Enrol,
			op.Authenticated(), a.signInLimit(), op.Fails(auth.ErrFactor, auth.ErrThrottled, auth.ErrBusy, auth.ErrNoAccount)),
		op.Command("auth.totp.confirm", "POST /v1/auth/totp/confirm", a.factors.Confirm,
			op.Authenticated(), op.Fails(auth.ErrNoFactor, auth.ErrFactorThrottled)),
		op.Command("auth.totp.remove", "DELETE /v1/auth/totp", a.removeFactor,
			op.Authenticated(), a.signInLimit(), op.Fails(auth.ErrNoFactor, auth.ErrFactorThrottled, auth.ErrThrottled, auth.ErrBusy, auth.ErrNoAccount)),
	}
}

func factorDocs() op.Docs {
	return op.Docs{
		authPackage + "Factors.Enrol":               "Enrol returns a secret for the caller's authenticator.\n\nIt is asked for at sign-in once a code of it was confirmed, within ten minutes. The password is needed, so that a stolen access token is not enough.",
		authPackage + "TOTPEnrolment.Secret":        "The secret in base32, to be typed into an authenticator.",
		authPackage + "TOTPEnrolment.URI":           "The same as an otpauth URI, to be shown as a QR code.",
		authPackage + "Factors.Confirm":             "Confirm turns the second factor on, and answers with recovery codes.\n\nThe codes are shown this once. Each signs in once in place of the authenticator.",
		authPackage + "ConfirmTOTP.Code":            "What the authenticator shows.",
		authPackage + "RecoveryCodes.RecoveryCodes": "Ten codes. Case, spaces and hyphens do not matter.",
		rootPackage + "App.removeFactor":            "removeFactor turns the second factor off and deletes the recovery codes.\n\nThe password or a code is needed, so that a stolen access token is not enough.",
		authPackage + "RemoveTOTP.Password":         "The password; not needed with a code.",
		authPackage + "RemoveTOTP.Code":             "What the authenticator shows, or a recovery code; not needed with the password.",
	}
}

func (a *App) removeFactor(ctx context.Context, in auth.RemoveTOTP) (struct{}, error) {
	return struct{}{}, a.factors.Remove(ctx, in)
}

// factorTable keeps second factors in the app's database.
type factorTable struct {
	db    *db.DB
	audit auditLog
}

const factorColumns = `account, sealed, created_at, confirmed_at, last_step, tries, tried_at`

// Factor implements [auth.FactorStore].
func (t factorTable) Factor(ctx context.Context, account string) (auth.Factor, error) {
	f, err := db.One[auth.Factor](ctx, t.db, `SELECT `+factorColumns+` FROM ashlar_second_factors WHERE account = $1`, account)
	if errors.Is(err, db.ErrNoRows) {
		return auth.Factor{}, auth.ErrNoFactor
	}
	return f, err
}

// EnrolFactor implements [auth.FactorStore].
func (t factorTable) EnrolFactor(ctx context.Context, f auth.Factor) error {
	n, err := db.Exec(ctx, t.db, `INSERT INTO ashlar_second_factors (`+factorColumns+`) VALUES ($1, $2, $3, NULL, 0, 0, NULL)
		ON CONFLICT (account) DO UPDATE SET sealed = excluded.sealed, created_at = excluded.created_at, last_step = 0, tries = 0, tried_at = NULL
		WHERE ashlar_second_factors.confirmed_at IS NULL`, f.Account, f.Sealed, f.CreatedAt)
	if err == nil && n == 0 {
		err = auth.ErrFactor
	}
	return err
}

// ConfirmFactor implements [auth.FactorStore].
func (t factorTable) ConfirmFactor(ctx context.Context, account string, sealed []byte, step int64, at time.Time, codes [][]byte, e auth.SecurityEvent) (bool, error) {
	return db.InTx(ctx, t.db, func(tx *db.Tx) (bool, error) {
		n, err := db.Exec(ctx, tx, `UPDATE ashlar_second_factors SET confirmed_at = $3, last_step = $4, tries = 0
			WHERE account = $1 AND sealed = $2 AND confirmed_at IS NULL`, account, sealed, at, step)
		if err != nil || n == 0 {
			return false, err
		}
		if _, err := db.Exec(ctx, tx, `DELETE FROM ashlar_recovery_codes WHERE account = $1`, account); err != nil {
			return false, err
		}
		for _, hash := range codes {
			if _, err := db.Exec(ctx, tx, `INSERT INTO ashlar_recovery_codes (account, hash) VALUES ($1, $2)`, account, hash); err != nil {
				return false, err
			}
		}
		return true, t.audit.record(ctx, tx, e)
	})
}

// TryFactor implements [auth.FactorStore].
func (t factorTable) TryFactor(ctx context.Context, account string, tries int, at time.Time) (bool, error) {
	n, err := db.Exec(ctx, t.db, `UPDATE ashlar_second_factors SET tries = tries + 1, tried_at = $3 WHERE account = $1 AND tries = $2`, account, tries, at)
	return n == 1, err
}

// UseFactor implements [auth.FactorStore].
func (t factorTable) UseFactor(ctx context.Context, account string, step int64) (bool, error) {
	n, err := db.Exec(ctx, t.db, `UPDATE ashlar_second_factors SET last_step = $2, tries = 0
		WHERE account = $1 AND last_step < $2 AND confirmed_at IS NOT NULL`, account, step)
	return n == 1, err
}

// UseRecoveryCode implements [auth.FactorStore].
func (t factorTable) UseRecoveryCode(ctx context.Context, account string, hash []byte, e auth.SecurityEvent) (bool, error) {
	return db.InTx(ctx, t.db, func(tx *db.Tx) (bool, error) {
		n, err := db.Exec(ctx, tx, `DELETE FROM ashlar_recovery_codes WHERE account = $1 AND hash = $2`, account, hash)
		if err != nil || n == 0 {
			return false, err
		}
		if _, err := db.Exec(ctx, tx, `UPDATE ashlar_second_factors SET tries = 0 WHERE account = $1`, account); err != nil {
			return false, err
		}
		return true, t.audit.record(ctx, tx, e)
	})
}

// RemoveFactor implements [auth.FactorStore].
func (t factorTable) RemoveFactor(ctx context.Context, account string, e auth.SecurityEvent) (bool, error) {
	return db.InTx(ctx, t.db, func(tx *db.Tx) (bool, error) {
		confirmed, err := db.All[bool](ctx, tx, `DELETE FROM ashlar_second_factors WHERE account = $1 RETURNING confirmed_at IS NOT NULL`, account)
		if err != nil || len(confirmed) == 0 || !confirmed[0] {
			return false, err
		}
		if _, err := db.Exec(ctx, tx, `DELETE FROM ashlar_recovery_codes WHERE account = $1`, account); err != nil {
			return false, err
		}
		return true, t.audit.record(ctx, tx, e)
	})
}

// ResealFactor implements [auth.FactorStore].
func (t factorTable) ResealFactor(ctx context.Context, account string, old, sealed []byte) error {
	_, err := db.Exec(ctx, t.db, `UPDATE ashlar_second_factors SET sealed = $3 WHERE account = $1 AND sealed = $2`, account, old, sealed)
	return err
}
