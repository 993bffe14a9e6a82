-- +goose Up
CREATE TABLE ledger_entries (
	id          TEXT PRIMARY KEY,
	payment_id  TEXT NOT NULL,
	merchant_id TEXT NOT NULL,
	currency    TEXT NOT NULL,
	reason      TEXT NOT NULL,
	created_at  TIMESTAMPTZ NOT NULL,
	account     TEXT NOT NULL,
	amount      BIGINT NOT NULL CHECK (amount <> 0) -- positive is a debit
);
CREATE INDEX ledger_entries_of_payment ON ledger_entries (payment_id, id);

-- The running sums of the entries. The check fails long before an int64 is
-- full, where SQLite would go on in floating point.
CREATE TABLE ledger_balances (
	merchant_id TEXT NOT NULL,
	currency    TEXT NOT NULL,
	account     TEXT NOT NULL,
	balance     BIGINT NOT NULL CHECK (balance BETWEEN -9000000000000000000 AND 9000000000000000000),
	PRIMARY KEY (merchant_id, currency, account)
);

-- +goose Down
DROP TABLE ledger_balances;
DROP TABLE ledger_entries;
