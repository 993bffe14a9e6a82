-- +goose Up
-- Counts the changes after which nothing that was given out before holds.
ALTER TABLE ashlar_accounts ADD COLUMN epoch BIGINT NOT NULL DEFAULT 0;

CREATE TABLE ashlar_sessions (
    id          TEXT        NOT NULL PRIMARY KEY, -- in the order of time
    account     TEXT        NOT NULL REFERENCES ashlar_accounts (id) ON DELETE CASCADE,
    epoch       BIGINT      NOT NULL,        -- of the account; dead in any other
    created_at  TIMESTAMPTZ NOT NULL,
    used_at     TIMESTAMPTZ NOT NULL,
    address     TEXT        NOT NULL,
    agent       TEXT        NOT NULL,
    secret_hash TEXT        NOT NULL UNIQUE, -- SHA-256 of what the session is found by
    token_hash  TEXT        NOT NULL,        -- SHA-256 of the one good refresh token; empty for a cookie
    spent_hash  TEXT        NOT NULL,        -- SHA-256 of the one before
    spent_at    TIMESTAMPTZ,
    sealed      TEXT        NOT NULL,        -- the good token, for who has the one before and its retry key
    ended_at    TIMESTAMPTZ
);

CREATE INDEX ashlar_sessions_account ON ashlar_sessions (account, id);
CREATE INDEX ashlar_sessions_used ON ashlar_sessions (used_at);

-- +goose Down
DROP TABLE ashlar_sessions;
ALTER TABLE ashlar_accounts DROP COLUMN epoch;
