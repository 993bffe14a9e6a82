-- +goose Up
-- Times are Unix milliseconds. The name does not change: what is queued, done or
-- dead stays here until expires_at.
CREATE TABLE ashlar_jobs (
	id          TEXT PRIMARY KEY,
	queue       TEXT NOT NULL,
	state       TEXT NOT NULL, -- scheduled, queued, running; done, dead, cancelled
	priority    BIGINT NOT NULL,
	due_at      BIGINT NOT NULL,
	attempt     BIGINT NOT NULL, -- the runs that count, that of a running job among them
	attempts    BIGINT NOT NULL, -- how many may be; 0 before the first
	payload     TEXT NOT NULL, -- JSON, byte for byte
	traceparent TEXT NOT NULL,
	unique_key  TEXT NOT NULL,
	held_key    TEXT, -- unique_key for as long as it keeps twins out
	held_until  BIGINT NOT NULL, -- and that long at least
	worker      TEXT NOT NULL, -- the process that runs it, or ran it last
	lease       TEXT NOT NULL, -- names the run; whoever knows another one has lost it
	lease_until BIGINT NOT NULL,
	cancel_at   BIGINT NOT NULL, -- when a running job was asked to stop; 0 if never
	done        BIGINT NOT NULL,
	total       BIGINT NOT NULL,
	note        TEXT NOT NULL,
	error       TEXT NOT NULL, -- of the last run that failed
	result      TEXT, -- JSON
	created_at  BIGINT NOT NULL,
	started_at  BIGINT NOT NULL, -- of the last run; 0 before
	ended_at    BIGINT NOT NULL, -- 0 before
	expires_at  BIGINT
);
-- One index for each question that is asked again and again, of the rows that
-- can answer it only.
CREATE INDEX ashlar_jobs_queued ON ashlar_jobs (queue, priority DESC, due_at, id) WHERE state = 'queued';
CREATE INDEX ashlar_jobs_scheduled ON ashlar_jobs (due_at) WHERE state = 'scheduled';
CREATE INDEX ashlar_jobs_waiting ON ashlar_jobs (queue, attempt) WHERE state = 'scheduled';
CREATE INDEX ashlar_jobs_running ON ashlar_jobs (lease_until) WHERE state = 'running';
CREATE INDEX ashlar_jobs_dead ON ashlar_jobs (queue, id) WHERE state = 'dead';
CREATE INDEX ashlar_jobs_expire ON ashlar_jobs (expires_at) WHERE expires_at IS NOT NULL;
CREATE UNIQUE INDEX ashlar_jobs_twins ON ashlar_jobs (queue, held_key) WHERE held_key IS NOT NULL;

-- A row for each schedule, with its last tick: whoever moves that on adds the
-- job, in the same transaction. Queues that are bounded over all processes have
-- a row with the schedule '', which is locked while their jobs are counted.
CREATE TABLE ashlar_job_schedules (
	queue    TEXT NOT NULL,
	schedule TEXT NOT NULL,
	last_at  BIGINT NOT NULL,
	PRIMARY KEY (queue, schedule)
);

-- +goose Down
DROP TABLE ashlar_job_schedules;
DROP TABLE ashlar_jobs;
