package db_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"testing/fstest"

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/db/sqlite"
)

// A repository takes a Querier: its caller decides about the transaction.
type Account struct {
	ID      string
	Balance int64
}

func find(ctx context.Context, q db.Querier, id string) (Account, error) {
	return db.One[Account](ctx, q, `SELECT id, balance FROM accounts WHERE id = $1`, id)
}

func move(ctx context.Context, q db.Querier, id string, amount int64) error {
	_, err := db.Exec(ctx, q, `UPDATE accounts SET balance = balance + $1 WHERE id = $2`, amount, id)
	return err
}

// In a program this is an embed.FS of the directory migrations.
var migrations = fstest.MapFS{
	"001_accounts.sql": {Data: []byte(`-- +goose Up
CREATE TABLE accounts (
	id      TEXT PRIMARY KEY,
	balance BIGINT NOT NULL CONSTRAINT covered CHECK (balance >= 0)
);
INSERT INTO accounts VALUES ('alice', 100), ('bob', 0);
-- +goose Down
DROP TABLE accounts;
`)},
}

func bank(ctx context.Context) *db.DB {
	d, err := sqlite.Open(ctx, sqlite.Config{Path: ":memory:"})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := db.Up(ctx, d, db.Migrations{Name: "bank", FS: migrations}); err != nil {
		log.Fatal(err)
	}
	return d
}

func ExampleInTx() {
	ctx := context.Background()
	d := bank(ctx)
	defer d.Close()

	transfer := func(amount int64) (Account, error) {
		return db.InTx(ctx, d, func(tx *db.Tx) (Account, error) {
			if err := move(ctx, tx, "bob", amount); err != nil {
				return Account{}, err
			}
			if err := move(ctx, tx, "alice", -amount); err != nil {
				return Account{}, err // takes the money back from bob too
			}
			return find(ctx, tx, "alice")
		})
	}
	alice, err := transfer(70)
	fmt.Println(alice.Balance, err)
	_, err = transfer(70)
	fmt.Println(db.IsCheck(err, "covered"))
	bob, err := find(ctx, d, "bob")
	fmt.Println(bob.Balance, err)
	// Output:
	// 30 <nil>
	// true
	// 70 <nil>
}

func ExampleKeep() {
	ctx := context.Background()
	d := bank(ctx)
	defer d.Close()
	errRefused := errors.New("refused")

	_, err := db.InTx(ctx, d, func(tx *db.Tx) (Account, error) {
		if err := move(ctx, tx, "alice", -1); err != nil { // the fee for asking
			return Account{}, err
		}
		return Account{}, db.Keep(errRefused)
	})
	alice, _ := find(ctx, d, "alice")
	fmt.Println(err, alice.Balance)
	// Output: refused 99
}

func ExampleAll() {
	ctx := context.Background()
	d := bank(ctx)
	defer d.Close()

	names, err := db.All[string](ctx, d, `SELECT id FROM accounts WHERE balance >= $1 ORDER BY id`, 0)
	fmt.Println(names, err)
	_, err = find(ctx, d, "carol")
	fmt.Println(errors.Is(err, db.ErrNoRows))
	// Output:
	// [alice bob] <nil>
	// true
}

func ExampleStatus() {
	ctx := context.Background()
	d := bank(ctx)
	defer d.Close()

	states, err := db.Status(ctx, d, db.Migrations{Name: "bank", FS: migrations})
	for _, s := range states {
		fmt.Println(s.Module, s.Version, s.File, s.Pending())
	}
	fmt.Println(err)
	// Output:
	// bank 1 001_accounts.sql false
	// <nil>
}
