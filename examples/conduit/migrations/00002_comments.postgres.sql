-- Comments have numbers, as the contract says, and databases number differently.

-- +goose Up
CREATE TABLE comments (
    id         BIGINT      NOT NULL PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    article    TEXT        NOT NULL REFERENCES articles (id) ON DELETE CASCADE,
    author     TEXT        NOT NULL REFERENCES users (id),
    body       TEXT        NOT NULL,
    created_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX comments_on_an_article ON comments (article, id);

-- +goose Down
DROP TABLE comments;
