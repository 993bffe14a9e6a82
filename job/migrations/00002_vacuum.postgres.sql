-- +goose Up
-- Each job is three versions of a row before it is done, and claims walk past the
-- dead ones of the index: they are swept away early, not when a fifth of the
-- table is dead.
ALTER TABLE ashlar_jobs SET (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000);

-- +goose Down
ALTER TABLE ashlar_jobs RESET (autovacuum_vacuum_scale_factor, autovacuum_vacuum_threshold);
