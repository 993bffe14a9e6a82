-- Lists that name a status, a currency or both. Each index costs something at
-- each change of a payment, so a list of a currency has none of its own: it is
-- merged from those of each status.

-- +goose Up
CREATE INDEX payments_of_merchant_by_status ON payments (merchant_id, status, created_at, id) WHERE status <> 'pending';
CREATE INDEX payments_of_merchant_by_currency ON payments (merchant_id, status, currency, created_at, id) WHERE status <> 'pending';
CREATE INDEX payments_by_status ON payments (status, created_at, id) WHERE status <> 'pending';
CREATE INDEX payments_by_currency ON payments (status, currency, created_at, id) WHERE status <> 'pending';

-- +goose Down
DROP INDEX payments_by_currency;
DROP INDEX payments_by_status;
DROP INDEX payments_of_merchant_by_currency;
DROP INDEX payments_of_merchant_by_status;
