-- +goose Up
-- What an operation made in the cloud and could not remove. Until it is gone, or given
-- up, the operation keeps its delegation, and the scratch record of the resource.
CREATE TABLE leftovers (
    operation_id VARCHAR(36) NOT NULL REFERENCES operations (id),
    resource_key VARCHAR(600) NOT NULL,
    project_id VARCHAR(255) NOT NULL,
    provider_id VARCHAR(36) NOT NULL,
    checkpoint_id VARCHAR(36) NOT NULL,
    reason TEXT NOT NULL,
    tries BIGINT NOT NULL,
    tried_at BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    given_up SMALLINT NOT NULL,
    PRIMARY KEY (operation_id, resource_key)
);
CREATE INDEX leftovers_by_try ON leftovers (given_up, tried_at);
CREATE INDEX leftovers_of_checkpoint ON leftovers (provider_id, checkpoint_id);

-- +goose Down
DROP TABLE leftovers;
