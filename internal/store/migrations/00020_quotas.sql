-- +goose Up
-- What a project may have: a row stands for a limit that differs from the default.
-- -1 is unlimited.
CREATE TABLE quotas (
    id BIGINT NOT NULL PRIMARY KEY,
    project_id VARCHAR(255) NOT NULL,
    resource VARCHAR(64) NOT NULL,
    hard_limit BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    deleted_at BIGINT,
    deleted SMALLINT NOT NULL
);
CREATE UNIQUE INDEX quotas_of_project ON quotas (project_id, resource);

-- The class named default has the defaults of all projects.
CREATE TABLE quota_classes (
    id BIGINT NOT NULL PRIMARY KEY,
    class_name VARCHAR(255) NOT NULL,
    resource VARCHAR(64) NOT NULL,
    hard_limit BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    deleted_at BIGINT,
    deleted SMALLINT NOT NULL
);
CREATE UNIQUE INDEX quota_classes_of_name ON quota_classes (class_name, resource);

-- What a project has. Who changes what is counted holds the row's lock while it does.
CREATE TABLE quota_usages (
    id BIGINT NOT NULL PRIMARY KEY,
    project_id VARCHAR(255) NOT NULL,
    resource VARCHAR(64) NOT NULL,
    in_use BIGINT NOT NULL CHECK (in_use >= 0),
    reserved BIGINT NOT NULL CHECK (reserved >= 0),
    until_refresh BIGINT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    deleted_at BIGINT,
    deleted SMALLINT NOT NULL
);
CREATE UNIQUE INDEX quota_usages_of_project ON quota_usages (project_id, resource);

-- What running operations have set aside for the checkpoints that they make. expire
-- is when it is looked at whether the operation still lives.
CREATE TABLE reservations (
    id BIGINT NOT NULL PRIMARY KEY,
    uuid VARCHAR(36) NOT NULL,
    usage_id BIGINT NOT NULL,
    project_id VARCHAR(255) NOT NULL,
    resource VARCHAR(64) NOT NULL,
    delta BIGINT NOT NULL,
    expire BIGINT NOT NULL,
    operation_id VARCHAR(36) NOT NULL,
    checkpoint_id VARCHAR(36) NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    deleted_at BIGINT,
    deleted SMALLINT NOT NULL
);
CREATE INDEX reservations_of_operation ON reservations (operation_id, deleted);
CREATE INDEX reservations_of_checkpoint ON reservations (checkpoint_id, deleted);
CREATE INDEX reservations_of_project ON reservations (project_id, resource, deleted);
CREATE INDEX reservations_expiring ON reservations (deleted, expire);

-- +goose Down
DROP TABLE reservations;
DROP TABLE quota_usages;
DROP TABLE quota_classes;
DROP TABLE quotas;
