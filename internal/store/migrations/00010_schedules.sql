-- +goose Up
CREATE TABLE triggers (
    id VARCHAR(36) NOT NULL PRIMARY KEY,
    name VARCHAR(255) NOT NULL,
    project_id VARCHAR(255) NOT NULL,
    type VARCHAR(64) NOT NULL,
    properties TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    deleted_at BIGINT,
    deleted SMALLINT NOT NULL
);
CREATE INDEX triggers_of_project ON triggers (project_id, deleted, created_at, id);
CREATE INDEX triggers_of_all ON triggers (deleted, created_at, id);

-- plan_id repeats what is in operation_definition.
CREATE TABLE scheduled_operations (
    id VARCHAR(36) NOT NULL PRIMARY KEY,
    name VARCHAR(255) NOT NULL,
    description VARCHAR(255) NOT NULL,
    operation_type VARCHAR(64) NOT NULL,
    project_id VARCHAR(255) NOT NULL,
    user_id VARCHAR(255) NOT NULL,
    trigger_id VARCHAR(36) NOT NULL,
    plan_id VARCHAR(36) NOT NULL,
    operation_definition TEXT NOT NULL,
    enabled SMALLINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    deleted_at BIGINT,
    deleted SMALLINT NOT NULL
);
CREATE INDEX scheduled_operations_of_project ON scheduled_operations (project_id, deleted, created_at, id);
CREATE INDEX scheduled_operations_of_all ON scheduled_operations (deleted, created_at, id);
CREATE INDEX scheduled_operations_of_trigger ON scheduled_operations (trigger_id, deleted);
CREATE INDEX scheduled_operations_of_plan ON scheduled_operations (plan_id, deleted);

-- binary_name is called binary on the wire, a word that MariaDB keeps for itself.
-- updated_at is the last report, modified_at the last change by an administrator.
-- Nothing is called over the network: topic and the versions of calls say so.
CREATE TABLE services (
    id BIGINT NOT NULL PRIMARY KEY,
    host VARCHAR(255) NOT NULL,
    binary_name VARCHAR(255) NOT NULL,
    topic VARCHAR(255) NOT NULL,
    report_count BIGINT NOT NULL,
    disabled SMALLINT NOT NULL,
    disabled_reason VARCHAR(255) NOT NULL,
    modified_at BIGINT NOT NULL,
    rpc_current_version VARCHAR(36) NOT NULL,
    rpc_available_version VARCHAR(36) NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    deleted_at BIGINT,
    deleted SMALLINT NOT NULL
);
CREATE UNIQUE INDEX services_of_host ON services (host, binary_name);

-- +goose Down
DROP TABLE services;
DROP TABLE scheduled_operations;
DROP TABLE triggers;
