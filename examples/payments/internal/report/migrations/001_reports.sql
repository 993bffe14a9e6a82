-- +goose Up
-- A report that is not done is where its job is.
CREATE TABLE reports (
	id           TEXT PRIMARY KEY,
	kind         TEXT NOT NULL,
	merchant_id  TEXT NOT NULL, -- empty: of all merchants, for staff
	currency     TEXT NOT NULL, -- empty: of all
	from_at      TIMESTAMPTZ NOT NULL,
	to_at        TIMESTAMPTZ NOT NULL,
	done         BOOLEAN NOT NULL,
	failure_code TEXT NOT NULL, -- why a run failed; it counts if no other follows
	job_id       TEXT NOT NULL,
	created_by   TEXT NOT NULL,
	created_at   TIMESTAMPTZ NOT NULL,
	expires_at   TIMESTAMPTZ NOT NULL,
	entries      BIGINT NOT NULL,
	csv_bytes    BIGINT NOT NULL,
	svg_bytes    BIGINT NOT NULL
);
CREATE INDEX reports_of_merchant ON reports (merchant_id);
CREATE INDEX reports_expiring ON reports (expires_at);

-- The files, in pieces. Each piece of a CSV says how far it goes and what it
-- adds up to, so that a run can go on where another one was cut off.
CREATE TABLE report_pieces (
	report_id   TEXT NOT NULL REFERENCES reports (id),
	format      TEXT NOT NULL,
	number      BIGINT NOT NULL,
	body        BYTEA NOT NULL,
	bytes       BIGINT NOT NULL,
	merchant_id TEXT NOT NULL, -- of the last entry, as are the next two
	entry_at    TIMESTAMPTZ NOT NULL,
	entry_id    TEXT NOT NULL,
	sums        JSONB NOT NULL,
	PRIMARY KEY (report_id, format, number)
);

-- +goose Down
DROP TABLE report_pieces;
DROP TABLE reports;
