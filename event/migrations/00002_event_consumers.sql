-- Where each consumer is, and what it could not handle yet. The text is the
-- same for SQLite and PostgreSQL; times are Unix milliseconds.

-- +goose Up
CREATE TABLE ashlar_event_consumers (
    name         TEXT   PRIMARY KEY,
    position     BIGINT NOT NULL, -- up to here everything is handled or parked
    owner        TEXT   NOT NULL, -- the process that works on it
    fence        BIGINT NOT NULL, -- grows when it changes hands: who has an older one commits nothing
    leased_until BIGINT NOT NULL,
    paused       BIGINT NOT NULL, -- 1 until somebody resumes it
    seen_at      BIGINT NOT NULL, -- when a process last had it
    error        TEXT   NOT NULL  -- why it stands still, or nothing
);

-- Events that failed, and those that wait behind one of their key.
CREATE TABLE ashlar_event_parked (
    consumer  TEXT   NOT NULL,
    position  BIGINT NOT NULL,
    id        TEXT   NOT NULL,
    topic     TEXT   NOT NULL,
    key       TEXT   NOT NULL,
    scope     TEXT   NOT NULL,
    version   BIGINT NOT NULL,
    at        BIGINT NOT NULL,
    trace     TEXT   NOT NULL,
    payload   TEXT   NOT NULL,
    attempts  BIGINT NOT NULL, -- 0 waits behind another
    next_at   BIGINT NOT NULL, -- when it is tried again
    dead      BIGINT NOT NULL, -- 1 if it is not tried again by itself
    failed_at BIGINT NOT NULL,
    error     TEXT   NOT NULL,
    PRIMARY KEY (consumer, position)
);

CREATE INDEX ashlar_event_parked_key ON ashlar_event_parked (consumer, key, position);

-- +goose Down
DROP TABLE ashlar_event_parked;
DROP TABLE ashlar_event_consumers;
