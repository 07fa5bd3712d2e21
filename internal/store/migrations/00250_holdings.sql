-- +goose Up
-- What operations hold, or have held, of their tenants' quotas in the cloud for a while:
-- temporary snapshots, volumes and images. It goes with its operation.
CREATE TABLE holdings (
    id VARCHAR(36) NOT NULL PRIMARY KEY,
    operation_id VARCHAR(36) NOT NULL REFERENCES operations (id),
    resource_key VARCHAR(600) NOT NULL,
    project_id VARCHAR(255) NOT NULL,
    provider_id VARCHAR(36) NOT NULL,
    checkpoint_id VARCHAR(36) NOT NULL,
    kind VARCHAR(16) NOT NULL,
    cloud_id VARCHAR(255) NOT NULL,
    gibibytes BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    released_at BIGINT
);
CREATE UNIQUE INDEX holdings_of_operation ON holdings (operation_id, kind, cloud_id);
CREATE INDEX holdings_of_project ON holdings (project_id, created_at, id);
CREATE INDEX holdings_of_all ON holdings (created_at, id);

-- +goose Down
DROP TABLE holdings;
