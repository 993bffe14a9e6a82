package auth

import (
	"context"
	"fmt"

	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/id"
)

// Import keeps an account whose password was hashed before: one that moves
// here from another system, or one of demo data. An empty ID or CreatedAt is
// filled in. The hash must be argon2id in PHC form. The error is
// [fault.Violations] for what cannot be, [ErrEmailTaken], or the store's.
func (a *Accounts) Import(ctx context.Context, account Account) error {
	account.Email = NormalizeEmail(account.Email)
	if account.ID == "" {
		account.ID = id.New("usr_")
	}
	if account.CreatedAt.IsZero() {
		account.CreatedAt = a.now().UTC()
	}
	violations := checkEmail(account.Email)
	if !a.role(account.Role) {
		violations = violations.And("/role", "unknown", "must be a role of this application")
	}
	if _, err := parsePHC(account.PasswordHash); err != nil {
		violations = append(violations, fault.At("/password_hash", "format", "must be an argon2id hash in PHC form")...)
	}
	if err := violations.Err(); err != nil {
		return err
	}
	if err := a.store.Insert(ctx, account); err != nil {
		return fmt.Errorf("import an account: %w", err)
	}
	return nil
}
