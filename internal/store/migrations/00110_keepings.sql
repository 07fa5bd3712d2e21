-- +goose Up
-- How a checkpoint is kept: its hold, its date of expiry, and what its newest
-- verification has found. One without any of that has no row.
CREATE TABLE keepings (
    checkpoint_id VARCHAR(36) NOT NULL,
    provider_id VARCHAR(36) NOT NULL,
    project_id VARCHAR(255) NOT NULL,
    held_at BIGINT,
    held_until BIGINT,
    held_by VARCHAR(255) NOT NULL,
    hold_reason TEXT NOT NULL,
    expires_at BIGINT,
    expires_by VARCHAR(255) NOT NULL,
    verified_at BIGINT,
    verified_depth VARCHAR(16) NOT NULL,
    verified_result VARCHAR(16) NOT NULL,
    PRIMARY KEY (checkpoint_id, provider_id)
);
CREATE INDEX keepings_expiring ON keepings (expires_at, checkpoint_id);

-- What the newest verification of a checkpoint has found of each resource in it.
CREATE TABLE verified_resources (
    checkpoint_id VARCHAR(36) NOT NULL,
    provider_id VARCHAR(36) NOT NULL,
    project_id VARCHAR(255) NOT NULL,
    resource VARCHAR(400) NOT NULL,
    depth VARCHAR(16) NOT NULL,
    good SMALLINT NOT NULL,
    PRIMARY KEY (checkpoint_id, provider_id, resource)
);
CREATE INDEX verified_resources_of_project ON verified_resources (project_id, resource, good);

-- +goose Down
DROP TABLE verified_resources;
DROP TABLE keepings;
