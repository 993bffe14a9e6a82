-- +goose Up
CREATE TABLE ashlar_api_keys (
    id           TEXT        NOT NULL PRIMARY KEY, -- in the order of time
    owner        TEXT        NOT NULL,             -- account that it acts for
    name         TEXT        NOT NULL,
    permissions  JSONB       NOT NULL,
    parent       TEXT        NOT NULL,             -- key that made it, or empty
    digest       BYTEA       NOT NULL,             -- SHA-256 of the key, which is kept nowhere
    created_at   TIMESTAMPTZ NOT NULL,
    expires_at   TIMESTAMPTZ,
    last_used_at TIMESTAMPTZ,
    ended_at     TIMESTAMPTZ
);

CREATE INDEX ashlar_api_keys_owner ON ashlar_api_keys (owner, id);
CREATE INDEX ashlar_api_keys_parent ON ashlar_api_keys (parent) WHERE parent <> '';
CREATE INDEX ashlar_api_keys_ended ON ashlar_api_keys (ended_at) WHERE ended_at IS NOT NULL;

-- +goose Down
DROP TABLE ashlar_api_keys;
