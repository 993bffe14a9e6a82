-- +goose Up
CREATE TABLE users (
    id       TEXT NOT NULL PRIMARY KEY, -- of the account
    username TEXT NOT NULL,
    CONSTRAINT users_username UNIQUE (username)
);
CREATE TABLE articles (
    id     TEXT NOT NULL PRIMARY KEY, -- in the order of time
    slug   TEXT NOT NULL UNIQUE,
    title  TEXT NOT NULL,
    body   TEXT NOT NULL,
    author TEXT NOT NULL REFERENCES users (id)
);

-- +goose Down
DROP TABLE articles;
DROP TABLE users;
