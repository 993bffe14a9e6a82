-- Events in the order in which every reader sees them. Transactions commit in
-- another order than that of the numbers they were given, so they insert into
-- the outbox, and committed rows move from there to the log, where they get
-- positions without a gap. These count on from the greatest, which is why the
-- newest row is never deleted.

-- +goose Up
CREATE TABLE ashlar_event_log (
    position BIGINT PRIMARY KEY,
    id       TEXT   NOT NULL UNIQUE,
    topic    TEXT   NOT NULL,
    key      TEXT   NOT NULL, -- events of one key are in order
    scope    TEXT   NOT NULL, -- whose event it is, or nothing
    version  BIGINT NOT NULL, -- of the payload's form
    at       BIGINT NOT NULL, -- Unix milliseconds
    trace    TEXT   NOT NULL, -- traceparent of whoever published it, or nothing
    payload  TEXT   NOT NULL  -- JSON, as it was written
);

CREATE INDEX ashlar_event_log_scope ON ashlar_event_log (scope, position) WHERE scope <> '';

-- Rows stay here for milliseconds, so what is dead has to go soon.
CREATE TABLE ashlar_event_outbox (
    seq     BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id      TEXT   NOT NULL,
    topic   TEXT   NOT NULL,
    key     TEXT   NOT NULL,
    scope   TEXT   NOT NULL,
    version BIGINT NOT NULL,
    at      BIGINT NOT NULL,
    trace   TEXT   NOT NULL,
    payload TEXT   NOT NULL
) WITH (autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_cost_delay = 0);

-- +goose Down
DROP TABLE ashlar_event_outbox;
DROP TABLE ashlar_event_log;
