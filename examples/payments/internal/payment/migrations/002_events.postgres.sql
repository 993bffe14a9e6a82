-- Events are in the application's own log from here on. A program of before this
-- migration fails where it would write one, instead of writing it where nobody
-- reads any more.

-- +goose Up
INSERT INTO ashlar_event_outbox (id, topic, key, scope, version, at, trace, payload)
SELECT id, type, payment_id, merchant_id, 1, (EXTRACT(EPOCH FROM created_at) * 1000)::BIGINT, '', data::TEXT
FROM payment_events
WHERE id NOT IN (SELECT id FROM ashlar_event_log UNION ALL SELECT id FROM ashlar_event_outbox) -- left there by a way down
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
SELECT id, topic, scope, key, payload::JSONB, TO_TIMESTAMP(at / 1000.0) FROM (
	SELECT id, topic, scope, key, payload, at FROM ashlar_event_log
	UNION ALL SELECT id, topic, scope, key, payload, at FROM ashlar_event_outbox
) AS events WHERE topic LIKE 'payment.%';
