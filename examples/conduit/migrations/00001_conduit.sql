-- +goose Up
CREATE TABLE users (
    id       TEXT NOT NULL PRIMARY KEY, -- of the account, which has address and password
    username TEXT NOT NULL,
    bio      TEXT,
    image    TEXT,
    CONSTRAINT users_username UNIQUE (username)
);
CREATE TABLE follows (
    follower TEXT NOT NULL REFERENCES users (id),
    followed TEXT NOT NULL REFERENCES users (id),
    PRIMARY KEY (follower, followed)
);
CREATE TABLE articles (
    id          TEXT        NOT NULL PRIMARY KEY, -- in the order of time
    slug        TEXT        NOT NULL UNIQUE,
    title       TEXT        NOT NULL,
    description TEXT        NOT NULL,
    body        TEXT        NOT NULL,
    tags        JSONB       NOT NULL, -- as they are shown
    author      TEXT        NOT NULL REFERENCES users (id),
    created_at  TIMESTAMPTZ NOT NULL,
    updated_at  TIMESTAMPTZ NOT NULL
);
CREATE INDEX articles_of_an_author ON articles (author, id);
CREATE TABLE article_tags (
    tag     TEXT NOT NULL,
    article TEXT NOT NULL REFERENCES articles (id) ON DELETE CASCADE,
    PRIMARY KEY (tag, article)
);
CREATE INDEX tags_of_an_article ON article_tags (article);
CREATE TABLE favorites (
    fan     TEXT NOT NULL REFERENCES users (id),
    article TEXT NOT NULL REFERENCES articles (id) ON DELETE CASCADE,
    PRIMARY KEY (fan, article)
);
CREATE INDEX favorites_of_an_article ON favorites (article);

-- +goose Down
DROP TABLE favorites;
DROP TABLE article_tags;
DROP TABLE articles;
DROP TABLE follows;
DROP TABLE users;
