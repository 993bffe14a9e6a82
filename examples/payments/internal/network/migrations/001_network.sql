-- +goose Up
CREATE TABLE network_answers (
	key         TEXT PRIMARY KEY,
	decline     TEXT NOT NULL, -- '' is an approval
	answered_at TIMESTAMPTZ NOT NULL
);

-- +goose Down
DROP TABLE network_answers;
