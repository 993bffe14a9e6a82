-- +goose Up
-- When lease_until was set, or the pause that due_at ends, by the clock of whoever
-- set it; 0 where somebody named the time. What was set later than now is of a
-- clock that was ahead.
ALTER TABLE ashlar_jobs ADD COLUMN set_at BIGINT NOT NULL DEFAULT 0;
CREATE INDEX ashlar_jobs_paused ON ashlar_jobs (set_at) WHERE state = 'scheduled' AND set_at > 0;

-- +goose Down
DROP INDEX ashlar_jobs_paused;
ALTER TABLE ashlar_jobs DROP COLUMN set_at;
