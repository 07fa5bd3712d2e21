-- +goose Up
-- Trusts that are being made for scheduled operations, until those are kept: whose, and when they end.
-- No two have the same end, so that one whose process has died can be found again in Keystone. It is
-- looked for from try_at on.
CREATE TABLE lendings (
    id VARCHAR(36) NOT NULL PRIMARY KEY,
    project_id VARCHAR(255) NOT NULL,
    user_id VARCHAR(255) NOT NULL,
    ends_at BIGINT NOT NULL,
    try_at BIGINT NOT NULL
);
CREATE INDEX lendings_by_try ON lendings (try_at);

-- +goose Down
DROP TABLE lendings;
