-- Events in the order in which every reader sees them. SQLite has one writer,
-- so rows commit in the order of their positions, and what is rolled back gives
-- its number back: the positions have no gap. They are given out by counting on
-- from the greatest, which is why the newest row is never deleted.

-- +goose Up
CREATE TABLE ashlar_event_log (
    position INTEGER PRIMARY KEY,
    id       TEXT    NOT NULL UNIQUE,
    topic    TEXT    NOT NULL,
    key      TEXT    NOT NULL, -- events of one key are in order
    scope    TEXT    NOT NULL, -- whose event it is, or nothing
    version  BIGINT  NOT NULL, -- of the payload's form
    at       BIGINT  NOT NULL, -- Unix milliseconds
    trace    TEXT    NOT NULL, -- traceparent of whoever published it, or nothing
    payload  TEXT    NOT NULL  -- JSON, as it was written
);

CREATE INDEX ashlar_event_log_scope ON ashlar_event_log (scope, position) WHERE scope <> '';

-- +goose Down
DROP TABLE ashlar_event_log;
