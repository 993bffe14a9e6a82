-- +goose Up
-- What is owed to a merchant changes by these entries, half of all. A report of
-- a period reads them in order.
CREATE INDEX ledger_entries_payable ON ledger_entries (merchant_id, created_at, id) WHERE account = 'payable';

-- +goose Down
DROP INDEX ledger_entries_payable;
