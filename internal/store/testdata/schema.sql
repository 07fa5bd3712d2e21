CREATE TABLE application_credentials (
    project_id VARCHAR(255) NOT NULL,
    user_id VARCHAR(255) NOT NULL,
    id VARCHAR(255) NOT NULL,
    sealed TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (project_id, user_id)
);

CREATE TABLE checkpoints (
    id VARCHAR(36) NOT NULL,
    provider_id VARCHAR(36) NOT NULL,
    project_id VARCHAR(255) NOT NULL,
    plan_id VARCHAR(36) NOT NULL,
    status VARCHAR(64) NOT NULL,
    plan JSON NOT NULL,
    graph JSON NOT NULL,
    extra_info JSON NOT NULL,
    size BIGINT NOT NULL,
    reasons JSON NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    deleted_at BIGINT,
    deleted SMALLINT NOT NULL,
    PRIMARY KEY (id, provider_id)
);

CREATE INDEX checkpoints_of_plan ON checkpoints (plan_id, provider_id, deleted, created_at, id);

CREATE INDEX checkpoints_of_project ON checkpoints (project_id, provider_id, deleted, created_at, id);

CREATE INDEX checkpoints_of_provider ON checkpoints (provider_id, deleted, created_at, id);

CREATE TABLE journal_lease (
    id BIGINT NOT NULL PRIMARY KEY,
    token BIGINT NOT NULL,
    owner VARCHAR(255) NOT NULL,
    expires_at BIGINT NOT NULL
);

CREATE TABLE journal_operations (
    id VARCHAR(255) NOT NULL PRIMARY KEY,
    state VARCHAR(16) NOT NULL,
    requested TEXT NOT NULL,
    closing SMALLINT NOT NULL,
    cancelled SMALLINT NOT NULL,
    created_at BIGINT NOT NULL,
    started_at BIGINT,
    ended_at BIGINT
);

CREATE INDEX journal_operations_unfinished ON journal_operations (ended_at, created_at, id);

CREATE TABLE journal_pages (
    operation_id VARCHAR(255) NOT NULL REFERENCES journal_operations (id),
    page BIGINT NOT NULL,
    steps JSON NOT NULL,
    PRIMARY KEY (operation_id, page)
);

CREATE TABLE journal_steps (
    operation_id VARCHAR(255) NOT NULL REFERENCES journal_operations (id),
    position BIGINT NOT NULL,
    state VARCHAR(16) NOT NULL,
    attempts BIGINT NOT NULL,
    failures BIGINT NOT NULL,
    done BIGINT NOT NULL,
    total BIGINT NOT NULL,
    error TEXT NOT NULL,
    due_at BIGINT,
    ended_at BIGINT,
    fail_order BIGINT NOT NULL,
    PRIMARY KEY (operation_id, position)
);

CREATE TABLE operation_logs (
    id VARCHAR(36) NOT NULL PRIMARY KEY,
    project_id VARCHAR(255) NOT NULL,
    operation_type VARCHAR(64) NOT NULL,
    checkpoint_id VARCHAR(36) NOT NULL,
    plan_id VARCHAR(36) NOT NULL,
    provider_id VARCHAR(36) NOT NULL,
    restore_id VARCHAR(36) NOT NULL,
    scheduled_operation_id VARCHAR(36) NOT NULL,
    status VARCHAR(64) NOT NULL,
    started_at BIGINT NOT NULL,
    ended_at BIGINT,
    error_info TEXT NOT NULL,
    extra_info JSON NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    deleted_at BIGINT,
    deleted SMALLINT NOT NULL
);

CREATE INDEX operation_logs_of_all ON operation_logs (deleted, created_at, id);

CREATE INDEX operation_logs_of_project ON operation_logs (project_id, deleted, created_at, id);

CREATE TABLE operation_resources (
    operation_id VARCHAR(36) NOT NULL REFERENCES operations (id),
    resource_key VARCHAR(600) NOT NULL,
    position BIGINT NOT NULL,
    state VARCHAR(64) NOT NULL,
    phase VARCHAR(64) NOT NULL,
    done BIGINT NOT NULL,
    total BIGINT NOT NULL,
    reason TEXT NOT NULL,
    new_id VARCHAR(255) NOT NULL,
    parts JSON NOT NULL,
    not_kept JSON NOT NULL,
    started SMALLINT NOT NULL,
    PRIMARY KEY (operation_id, resource_key)
);

CREATE TABLE operations (
    id VARCHAR(36) NOT NULL PRIMARY KEY,
    operation_type VARCHAR(64) NOT NULL,
    project_id VARCHAR(255) NOT NULL,
    provider_id VARCHAR(36) NOT NULL,
    checkpoint_id VARCHAR(36) NOT NULL,
    restore_id VARCHAR(36) NOT NULL,
    plan_id VARCHAR(36) NOT NULL,
    log_id VARCHAR(36) NOT NULL,
    graph JSON NOT NULL,
    parameters JSON NOT NULL,
    delegation TEXT,
    dispatched SMALLINT NOT NULL,
    created_at BIGINT NOT NULL,
    ended_at BIGINT
);

CREATE INDEX operations_of_checkpoint ON operations (checkpoint_id, created_at);

CREATE INDEX operations_of_restore ON operations (restore_id, created_at);

CREATE INDEX operations_outbox ON operations (dispatched, ended_at, created_at, id);

CREATE INDEX operations_running ON operations (ended_at, created_at, id);

CREATE TABLE plans (
    id VARCHAR(36) NOT NULL PRIMARY KEY,
    name VARCHAR(255) NOT NULL,
    description VARCHAR(255) NOT NULL,
    provider_id VARCHAR(36) NOT NULL,
    project_id VARCHAR(255) NOT NULL,
    status VARCHAR(64) NOT NULL,
    resources JSON NOT NULL,
    parameters JSON NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    deleted_at BIGINT,
    deleted SMALLINT NOT NULL
);

CREATE INDEX plans_of_all ON plans (deleted, created_at, id);

CREATE INDEX plans_of_project ON plans (project_id, deleted, created_at, id);

CREATE TABLE resources (
    id BIGINT NOT NULL PRIMARY KEY,
    plan_id VARCHAR(36) NOT NULL REFERENCES plans (id),
    resource_id VARCHAR(255) NOT NULL,
    resource_type VARCHAR(64) NOT NULL,
    resource_name VARCHAR(255) NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT,
    deleted_at BIGINT,
    deleted SMALLINT NOT NULL
);

CREATE INDEX resources_of_plan ON resources (plan_id, deleted);

CREATE TABLE restores (
    id VARCHAR(36) NOT NULL PRIMARY KEY,
    project_id VARCHAR(255) NOT NULL,
    provider_id VARCHAR(36) NOT NULL,
    checkpoint_id VARCHAR(36) NOT NULL,
    restore_target VARCHAR(255) NOT NULL,
    parameters JSON NOT NULL,
    status VARCHAR(64) NOT NULL,
    resources_status JSON NOT NULL,
    resources_reason JSON NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    deleted_at BIGINT,
    deleted SMALLINT NOT NULL
);

CREATE INDEX restores_of_all ON restores (deleted, created_at, id);

CREATE INDEX restores_of_project ON restores (project_id, deleted, created_at, id);

CREATE TABLE scratch (
    operation_id VARCHAR(36) NOT NULL REFERENCES operations (id),
    resource_key VARCHAR(600) NOT NULL,
    document JSON NOT NULL,
    PRIMARY KEY (operation_id, resource_key)
);

