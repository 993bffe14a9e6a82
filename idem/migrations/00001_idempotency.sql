-- One row for each key that a principal has used on an operation. The text is
-- the same for SQLite and PostgreSQL. BYTEA is PostgreSQL's word; SQLite takes
-- any type name and keeps a blob as the blob it is, so bodies need no encoding.
-- Times are Unix milliseconds, which both compare alike.

-- +goose Up
CREATE TABLE ashlar_idempotency (
    principal    TEXT    NOT NULL,
    operation    TEXT    NOT NULL,
    key          TEXT    NOT NULL,
    fingerprint  BYTEA   NOT NULL,
    owner        TEXT    NOT NULL, -- the one claim that may write this row
    ref          TEXT    NOT NULL, -- what the last committed phase left behind
    leased_until BIGINT  NOT NULL,
    expires_at   BIGINT  NOT NULL,
    status       INTEGER NOT NULL, -- 0 until the response is stored
    content_type TEXT    NOT NULL,
    location     TEXT    NOT NULL,
    etag         TEXT    NOT NULL,
    body         BYTEA   NOT NULL,
    PRIMARY KEY (principal, operation, key)
);

CREATE INDEX ashlar_idempotency_expires_at ON ashlar_idempotency (expires_at);

-- +goose Down
DROP TABLE ashlar_idempotency;
