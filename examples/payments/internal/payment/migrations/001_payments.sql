-- +goose Up
CREATE TABLE payments (
	id              TEXT PRIMARY KEY,
	merchant_id     TEXT NOT NULL,
	status          TEXT NOT NULL,
	amount          BIGINT NOT NULL CHECK (amount BETWEEN 1 AND 99999999999),
	captured_amount BIGINT NOT NULL CHECK (captured_amount BETWEEN 0 AND amount),
	refunded_amount BIGINT NOT NULL CHECK (refunded_amount BETWEEN 0 AND captured_amount),
	currency        TEXT NOT NULL,
	card            JSONB NOT NULL, -- brand, last4, exp_month, exp_year; never a number
	fingerprint     TEXT NOT NULL,
	reference       TEXT NOT NULL,
	description     TEXT NOT NULL,
	metadata        JSONB NOT NULL,
	decline_code    TEXT NOT NULL,
	capture         BOOLEAN NOT NULL,
	created_at      TIMESTAMPTZ NOT NULL,
	updated_at      TIMESTAMPTZ NOT NULL,
	version         BIGINT NOT NULL
);
-- The lists leave pending payments out, so these are written once the outcome
-- is known.
CREATE INDEX payments_of_merchant ON payments (merchant_id, created_at, id) WHERE status <> 'pending';
CREATE INDEX payments_of_all ON payments (created_at, id) WHERE status <> 'pending';
-- What the tasks look for is few among many.
CREATE INDEX payments_pending ON payments (created_at) WHERE status = 'pending';
CREATE INDEX payments_authorized ON payments (created_at) WHERE status = 'authorized';

CREATE TABLE refunds (
	id         TEXT PRIMARY KEY,
	payment_id TEXT NOT NULL REFERENCES payments (id),
	amount     BIGINT NOT NULL CHECK (amount > 0),
	currency   TEXT NOT NULL,
	reason     TEXT NOT NULL,
	created_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX refunds_of_payment ON refunds (payment_id, id);

CREATE TABLE payment_events (
	id          TEXT PRIMARY KEY,
	type        TEXT NOT NULL,
	merchant_id TEXT NOT NULL,
	payment_id  TEXT NOT NULL,
	data        JSONB NOT NULL,
	created_at  TIMESTAMPTZ NOT NULL
);
CREATE INDEX payment_events_of_merchant ON payment_events (merchant_id, id);

-- +goose Down
DROP TABLE payment_events;
DROP TABLE refunds;
DROP TABLE payments;
