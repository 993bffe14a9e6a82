-- +goose Up
CREATE TABLE ashlar_revocations (
    seq        BIGINT      NOT NULL PRIMARY KEY,
    subject    TEXT        NOT NULL, -- account, or empty
    credential TEXT        NOT NULL, -- session or API key that ended, or empty
    epoch      BIGINT      NOT NULL, -- of the subject from now on, or 0
    role       TEXT        NOT NULL, -- of the subject from now on, or empty
    until      TIMESTAMPTZ NOT NULL  -- afterwards the row means nothing
);

CREATE INDEX ashlar_revocations_until ON ashlar_revocations (until);

-- The last seq that was given out. A database's own sequence would let one
-- commit before a smaller one, and whoever follows the table would step over
-- that; this row is locked until its transaction ends.
CREATE TABLE ashlar_revocations_last (
    seq BIGINT NOT NULL
);

INSERT INTO ashlar_revocations_last (seq) VALUES (0);

-- +goose Down
DROP TABLE ashlar_revocations_last;
DROP TABLE ashlar_revocations;
