-- +goose Up
CREATE TABLE ashlar_accounts (
    id            TEXT        NOT NULL PRIMARY KEY,
    email         TEXT        NOT NULL UNIQUE, -- lower case
    password_hash TEXT        NOT NULL,        -- argon2id, PHC form
    role          TEXT        NOT NULL,
    tenant        TEXT        NOT NULL,        -- empty for the operator's own staff
    created_at    TIMESTAMPTZ NOT NULL,
    disabled_at   TIMESTAMPTZ
);

-- +goose Down
DROP TABLE ashlar_accounts;
