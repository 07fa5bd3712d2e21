-- +goose Up
-- The operations of a run that works on several checkpoints, one after another. operation_id is
-- empty before it has begun.
CREATE TABLE scheduled_run_operations (
    run_id VARCHAR(36) NOT NULL,
    position BIGINT NOT NULL,
    checkpoint_id VARCHAR(36) NOT NULL,
    operation_id VARCHAR(36) NOT NULL,
    state VARCHAR(32) NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (run_id, position)
);

-- Which checkpoint was not verified for the longest time.
CREATE INDEX verifications_of_checkpoint ON verifications (checkpoint_id, provider_id, created_at);

-- +goose Down
DROP INDEX verifications_of_checkpoint;
DROP TABLE scheduled_run_operations;
