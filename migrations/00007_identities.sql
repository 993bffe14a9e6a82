-- +goose Up
CREATE TABLE ashlar_identities (
    id        TEXT        NOT NULL PRIMARY KEY, -- in the order of time
    account   TEXT        NOT NULL REFERENCES ashlar_accounts (id) ON DELETE CASCADE,
    provider  TEXT        NOT NULL,             -- its name in the app when it was linked
    issuer    TEXT        NOT NULL,
    subject   TEXT        NOT NULL,
    email     TEXT        NOT NULL,             -- when it was linked; it identifies nobody
    linked_at TIMESTAMPTZ NOT NULL,
    UNIQUE (issuer, subject),
    UNIQUE (account, issuer)                    -- an address that passes on takes no account along
);

-- One row for each step that a browser may take once.
CREATE TABLE ashlar_tickets (
    key     TEXT        NOT NULL PRIMARY KEY, -- SHA-256 of what the step is taken with
    browser TEXT        NOT NULL,             -- SHA-256 of the cookie that must come along
    account TEXT        NOT NULL,             -- empty for a mark that a step was taken
    factor  BOOLEAN     NOT NULL,             -- whether a second factor is asked
    until   TIMESTAMPTZ NOT NULL
);

CREATE INDEX ashlar_tickets_until ON ashlar_tickets (until);

-- +goose Down
DROP TABLE ashlar_tickets;
DROP TABLE ashlar_identities;
