-- +goose Up
CREATE TABLE payments (
    id        TEXT   NOT NULL PRIMARY KEY,
    account   TEXT   NOT NULL,
    amount    BIGINT NOT NULL,
    currency  TEXT   NOT NULL,
    reference TEXT   NOT NULL,
    state     TEXT   NOT NULL
);

-- +goose Down
DROP TABLE payments;
