-- +goose Up
CREATE TABLE ashlar_second_factors (
    account      TEXT        NOT NULL PRIMARY KEY,
    sealed       BYTEA       NOT NULL, -- the authenticator's secret, encrypted
    created_at   TIMESTAMPTZ NOT NULL,
    confirmed_at TIMESTAMPTZ,          -- null until an authenticator showed a code of it
    last_step    BIGINT      NOT NULL, -- period of the last code that was taken
    tries        INTEGER     NOT NULL, -- codes that were tried since one was right
    tried_at     TIMESTAMPTZ
);

CREATE TABLE ashlar_recovery_codes (
    account TEXT  NOT NULL,
    hash    BYTEA NOT NULL, -- a code is deleted when it is used
    PRIMARY KEY (account, hash)
);

-- +goose Down
DROP TABLE ashlar_recovery_codes;
DROP TABLE ashlar_second_factors;
