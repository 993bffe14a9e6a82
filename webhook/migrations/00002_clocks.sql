-- When a pause was set, by the clock of whoever set it: so that one which was set
-- under a clock that was ahead can be told from one that is long.

-- +goose Up
ALTER TABLE ashlar_webhook_lanes ADD COLUMN set_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE ashlar_webhook_endpoints ADD COLUMN rested_at BIGINT NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE ashlar_webhook_endpoints DROP COLUMN rested_at;
ALTER TABLE ashlar_webhook_lanes DROP COLUMN set_at;
