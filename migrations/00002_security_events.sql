-- +goose Up
CREATE TABLE ashlar_security_events (
    id         TEXT        NOT NULL PRIMARY KEY, -- in the order of time
    at         TIMESTAMPTZ NOT NULL,
    kind       TEXT        NOT NULL,
    outcome    TEXT        NOT NULL,             -- succeeded, failed, refused
    subject    TEXT        NOT NULL,             -- account that it concerns, or empty
    actor      TEXT        NOT NULL,             -- principal that did it, or empty
    credential TEXT        NOT NULL,             -- session or API key, or empty
    address    TEXT        NOT NULL,
    agent      TEXT        NOT NULL,
    detail     TEXT        NOT NULL
);

CREATE INDEX ashlar_security_events_subject ON ashlar_security_events (subject, id);

-- +goose Down
DROP TABLE ashlar_security_events;
