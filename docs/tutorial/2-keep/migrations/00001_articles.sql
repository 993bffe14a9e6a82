-- +goose Up
CREATE TABLE articles (
    slug  TEXT NOT NULL PRIMARY KEY,
    title TEXT NOT NULL,
    body  TEXT NOT NULL
);

-- +goose Down
DROP TABLE articles;
