package db_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/ashlar-go/ashlar/db"
)

func TestConstraintsAreFoundByName(t *testing.T) {
	t.Parallel()
	cause := errors.New("cause")
	err := fmt.Errorf("wrapped: %w", &db.Constraint{Kind: db.Unique, Name: "users_email", Table: "users", Columns: []string{"shop", "email"}, Cause: cause})
	for _, names := range [][]string{nil, {"users_email"}, {"email"}, {"users.email"}, {"other", "shop"}} {
		if !db.IsUnique(err, names...) {
			t.Errorf("%q must match", names)
		}
	}
	for _, names := range [][]string{{"users"}, {"shops.email"}, {"users.users_email"}, {""}} {
		if db.IsUnique(err, names...) {
			t.Errorf("%q must not match", names)
		}
	}
	if db.IsCheck(err) || db.IsForeignKey(err) || db.IsNotNull(err) || db.IsUnique(nil) || db.IsUnique(cause) {
		t.Error("another kind matches")
	}
	if !errors.Is(err, cause) || err.Error() != "wrapped: db: unique constraint users_email on users(shop, email): cause" {
		t.Error(err)
	}
}
