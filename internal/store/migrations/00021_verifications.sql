-- +goose Up
CREATE TABLE verifications (
    id VARCHAR(36) NOT NULL PRIMARY KEY,
    project_id VARCHAR(255) NOT NULL,
    provider_id VARCHAR(36) NOT NULL,
    checkpoint_id VARCHAR(36) NOT NULL,
    parameters JSON NOT NULL,
    status VARCHAR(64) NOT NULL,
    resources_status JSON NOT NULL,
    resources_reason JSON NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    deleted_at BIGINT,
    deleted SMALLINT NOT NULL
);
CREATE INDEX verifications_of_project ON verifications (project_id, deleted, created_at, id);
CREATE INDEX verifications_of_all ON verifications (deleted, created_at, id);

-- Requests to copy checkpoints. checkpoints lists which, and what each is copied to.
CREATE TABLE copies (
    id VARCHAR(36) NOT NULL PRIMARY KEY,
    project_id VARCHAR(255) NOT NULL,
    provider_id VARCHAR(36) NOT NULL,
    plan_id VARCHAR(36) NOT NULL,
    checkpoints JSON NOT NULL,
    parameters JSON NOT NULL,
    status VARCHAR(64) NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    deleted_at BIGINT,
    deleted SMALLINT NOT NULL
);
CREATE INDEX copies_of_project ON copies (project_id, provider_id, deleted, created_at, id);
CREATE INDEX copies_of_provider ON copies (provider_id, deleted, created_at, id);

-- +goose Down
DROP TABLE copies;
DROP TABLE verifications;
