-- +goose Up
-- Until when the bank has locked what a held checkpoint needs, and what came of the last try.
CREATE TABLE checkpoint_locks (
    checkpoint_id VARCHAR(36) NOT NULL,
    provider_id VARCHAR(36) NOT NULL,
    project_id VARCHAR(255) NOT NULL,
    locked_until BIGINT,
    objects BIGINT NOT NULL,
    reason TEXT NOT NULL,
    tried_at BIGINT NOT NULL,
    PRIMARY KEY (checkpoint_id, provider_id)
);
CREATE INDEX keepings_held ON keepings (provider_id, held_at);

-- +goose Down
DROP INDEX keepings_held;
DROP TABLE checkpoint_locks;
