-- Endpoints, messages, and what became of each message at each endpoint. The
-- text is the same for SQLite and PostgreSQL. Times are Unix milliseconds.

-- +goose Up
CREATE TABLE ashlar_webhook_endpoints (
    id            TEXT   PRIMARY KEY,
    account       TEXT   NOT NULL,
    url           TEXT   NOT NULL,
    types         TEXT   NOT NULL, -- filters, separated by spaces
    description   TEXT   NOT NULL,
    secrets       BYTEA  NOT NULL, -- sealed
    state         TEXT   NOT NULL, -- enabled or disabled
    reason        TEXT   NOT NULL, -- why it is disabled
    created_at    BIGINT NOT NULL,
    changed_at    BIGINT NOT NULL, -- of the state
    failures      BIGINT NOT NULL, -- attempts in a row
    failing_since BIGINT NOT NULL, -- 0 while it is well
    rest_until    BIGINT NOT NULL  -- nothing is sent before
);
CREATE INDEX ashlar_webhook_endpoints_account ON ashlar_webhook_endpoints (account, id);

-- What is sent, the same bytes each time. Nothing changes a row.
CREATE TABLE ashlar_webhook_messages (
    account     TEXT   NOT NULL,
    id          TEXT   NOT NULL,
    type        TEXT   NOT NULL,
    ordering    TEXT   NOT NULL,
    payload     BYTEA  NOT NULL,
    traceparent TEXT   NOT NULL,
    created_at  BIGINT NOT NULL,
    PRIMARY KEY (account, id)
);
CREATE INDEX ashlar_webhook_messages_created_at ON ashlar_webhook_messages (created_at);

-- One message at one endpoint.
CREATE TABLE ashlar_webhook_deliveries (
    id         TEXT   PRIMARY KEY,
    endpoint   TEXT   NOT NULL,
    account    TEXT   NOT NULL,
    message    TEXT   NOT NULL,
    lane       TEXT   NOT NULL,
    place      BIGINT NOT NULL, -- in the lane
    state      TEXT   NOT NULL, -- pending, delivered, failed or dropped
    attempts   BIGINT NOT NULL, -- in all
    tries      BIGINT NOT NULL, -- of the schedule
    created_at BIGINT NOT NULL,
    ended_at   BIGINT NOT NULL, -- 0 while it is pending
    UNIQUE (account, message, endpoint)
);
CREATE INDEX ashlar_webhook_deliveries_endpoint ON ashlar_webhook_deliveries (endpoint, id);
CREATE INDEX ashlar_webhook_deliveries_lane ON ashlar_webhook_deliveries (endpoint, lane, place) WHERE state = 'pending';
CREATE INDEX ashlar_webhook_deliveries_pending ON ashlar_webhook_deliveries (created_at) WHERE state = 'pending';
CREATE INDEX ashlar_webhook_deliveries_ended_at ON ashlar_webhook_deliveries (ended_at) WHERE state <> 'pending';

-- A queue for each ordering key of an endpoint that has something to be sent.
-- Whoever changes one locks it, those who enqueue too: so places are in the
-- order of commits, and one attempt of a lane is under way at a time.
CREATE TABLE ashlar_webhook_lanes (
    endpoint TEXT   NOT NULL,
    lane     TEXT   NOT NULL,
    tail     BIGINT NOT NULL, -- the last place that was given out
    due_at   BIGINT NOT NULL, -- when its first delivery is to be sent, or a lease ends
    owner    TEXT   NOT NULL, -- a random token of whoever has the lease; empty if nobody
    PRIMARY KEY (endpoint, lane)
);
CREATE INDEX ashlar_webhook_lanes_due_at ON ashlar_webhook_lanes (endpoint, due_at);

CREATE TABLE ashlar_webhook_attempts (
    delivery TEXT   NOT NULL,
    number   BIGINT NOT NULL,
    at       BIGINT NOT NULL,
    took     BIGINT NOT NULL, -- milliseconds
    outcome  TEXT   NOT NULL,
    status   BIGINT NOT NULL, -- 0 if there was no answer
    response TEXT   NOT NULL, -- how its body begins
    PRIMARY KEY (delivery, number)
);

-- +goose Down
DROP TABLE ashlar_webhook_attempts;
DROP TABLE ashlar_webhook_lanes;
DROP TABLE ashlar_webhook_deliveries;
DROP TABLE ashlar_webhook_messages;
DROP TABLE ashlar_webhook_endpoints;
