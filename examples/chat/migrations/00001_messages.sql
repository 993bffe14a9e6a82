-- +goose Up
CREATE TABLE messages (
    id     TEXT        NOT NULL PRIMARY KEY,
    room   TEXT        NOT NULL,
    author TEXT        NOT NULL,
    body   TEXT        NOT NULL,
    at     TIMESTAMPTZ NOT NULL
);
CREATE INDEX messages_of_a_room ON messages (room, id);

-- +goose Down
DROP TABLE messages;
