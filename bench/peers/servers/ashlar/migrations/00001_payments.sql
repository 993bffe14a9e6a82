-- +goose Up
CREATE TABLE payments (
    id              TEXT        NOT NULL PRIMARY KEY,
    merchant_id     TEXT        NOT NULL,
    status          TEXT        NOT NULL,
    amount          BIGINT      NOT NULL,
    captured_amount BIGINT      NOT NULL,
    refunded_amount BIGINT      NOT NULL,
    currency        TEXT        NOT NULL,
    brand           TEXT        NOT NULL,
    last4           TEXT        NOT NULL,
    exp_month       BIGINT      NOT NULL,
    exp_year        BIGINT      NOT NULL,
    reference       TEXT        NOT NULL,
    description     TEXT        NOT NULL,
    metadata        JSONB       NOT NULL,
    created_at      TIMESTAMPTZ NOT NULL,
    updated_at      TIMESTAMPTZ NOT NULL,
    version         BIGINT      NOT NULL
);
CREATE INDEX payments_of_merchant ON payments (merchant_id, id);

CREATE TABLE entries (
    id         TEXT        NOT NULL PRIMARY KEY,
    payment_id TEXT        NOT NULL,
    account    TEXT        NOT NULL,
    amount     BIGINT      NOT NULL,
    created_at TIMESTAMPTZ NOT NULL
);

-- +goose Down
DROP TABLE entries;
DROP TABLE payments;
