-- Events are in the application's own log from here on. A program of before this
-- migration fails where it would write one, instead of writing it where nobody
-- reads any more.

-- +goose Up
INSERT INTO ashlar_event_log (id, topic, key, scope, version, at, trace, payload)
SELECT id, type, payment_id, merchant_id, 1, CAST(ROUND((JULIANDAY(created_at) - 2440587.5) * 86400000) AS INTEGER), '', data
FROM payment_events
WHERE id NOT IN (SELECT id FROM ashlar_event_log) -- left there by a way down
ORDER BY id;
DROP TABLE payment_events;

-- +goose Down
CREATE TABLE payment_events (
	id          TEXT PRIMARY KEY,
	type        TEXT NOT NULL,
	merchant_id TEXT NOT NULL,
	payment_id  TEXT NOT NULL,
	data        JSONB NOT NULL,
	created_at  TIMESTAMPTZ NOT NULL
);
CREATE INDEX payment_events_of_merchant ON payment_events (merchant_id, id);
INSERT INTO payment_events (id, type, merchant_id, payment_id, data, created_at)
SELECT id, topic, scope, key, payload, STRFTIME('%Y-%m-%dT%H:%M:%S', at / 1000, 'unixepoch') || PRINTF('.%03d000Z', at % 1000)
FROM ashlar_event_log WHERE topic LIKE 'payment.%';
