-- +goose Up
-- POSTs that carried an Idempotency-Key. scope is a digest of whose key it is, and
-- body one of what was sent. done says that something was kept on their behalf;
-- answer is there once they have succeeded.
CREATE TABLE replays (
    scope VARCHAR(64) NOT NULL PRIMARY KEY,
    body VARCHAR(64) NOT NULL,
    owner VARCHAR(255) NOT NULL,
    done SMALLINT NOT NULL,
    answer JSON,
    created_at BIGINT NOT NULL
);
CREATE INDEX replays_by_age ON replays (created_at);

-- Delegations of operations that are over, until Keystone has taken them back.
CREATE TABLE revocations (
    operation_id VARCHAR(36) NOT NULL PRIMARY KEY,
    delegation TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX revocations_by_age ON revocations (created_at);

-- The id of the request that asked for an operation, as the cloud gets it.
ALTER TABLE operations ADD COLUMN request_id VARCHAR(64) NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE operations DROP COLUMN request_id;
DROP TABLE revocations;
DROP TABLE replays;
