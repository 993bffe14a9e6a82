-- +goose Up
-- Balances in several rows each, so that the payments of one merchant do not wait
-- for each other. What is in ledger_balances stays there and counts on. A program
-- of before this goes on writing there, and shows what is there alone, until it
-- is replaced: two sums to zero are one.
CREATE TABLE ledger_slots (
	merchant_id TEXT NOT NULL,
	currency    TEXT NOT NULL,
	account     TEXT NOT NULL,
	slot        BIGINT NOT NULL,
	balance     BIGINT NOT NULL CHECK (balance BETWEEN -9000000000000000000 AND 9000000000000000000),
	PRIMARY KEY (merchant_id, currency, account, slot)
);
CREATE VIEW ledger_sums AS
	SELECT merchant_id, currency, account, CAST(sum(balance) AS BIGINT) AS balance FROM (
		SELECT merchant_id, currency, account, balance FROM ledger_balances
		UNION ALL SELECT merchant_id, currency, account, balance FROM ledger_slots
	) AS parts
	GROUP BY merchant_id, currency, account;

-- +goose Down
DROP VIEW ledger_sums;
INSERT INTO ledger_balances (merchant_id, currency, account, balance)
	SELECT merchant_id, currency, account, CAST(sum(balance) AS BIGINT) FROM ledger_slots WHERE true
	GROUP BY merchant_id, currency, account
	ON CONFLICT (merchant_id, currency, account) DO UPDATE SET balance = ledger_balances.balance + excluded.balance;
DROP TABLE ledger_slots;
