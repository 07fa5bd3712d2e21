-- +goose Up
-- Which attempt of a step may write: the newest one that has begun. An attempt whose process
-- was taken for dead, and comes back, writes nothing any more. The rows go with the end of
-- the operation.
CREATE TABLE step_claims (
    operation_id VARCHAR(36) NOT NULL REFERENCES operations (id),
    step VARCHAR(255) NOT NULL,
    attempt BIGINT NOT NULL,
    PRIMARY KEY (operation_id, step)
);

-- +goose Down
DROP TABLE step_claims;
