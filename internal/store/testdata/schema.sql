CREATE TABLE application_credentials (
    project_id VARCHAR(255) NOT NULL,
    user_id VARCHAR(255) NOT NULL,
    id VARCHAR(255) NOT NULL,
    sealed TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (project_id, user_id)
);

CREATE TABLE catalogues (
    provider_id VARCHAR(36) NOT NULL PRIMARY KEY,
    filled_at BIGINT NOT NULL
);

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

CREATE TABLE checkpoints (
    id VARCHAR(36) NOT NULL,
    provider_id VARCHAR(36) NOT NULL,
    project_id VARCHAR(255) NOT NULL,
    plan_id VARCHAR(36) NOT NULL,
    status VARCHAR(64) NOT NULL,
    plan TEXT NOT NULL,
    graph TEXT NOT NULL,
    extra_info TEXT NOT NULL,
    size BIGINT NOT NULL,
    reasons TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    deleted_at BIGINT,
    deleted SMALLINT NOT NULL, figures TEXT, copy_of VARCHAR(36) NOT NULL DEFAULT '', bank VARCHAR(64) NOT NULL DEFAULT '',
    PRIMARY KEY (id, provider_id)
);

CREATE INDEX checkpoints_by_deletion ON checkpoints (deleted_at);

CREATE INDEX checkpoints_of_original ON checkpoints (copy_of, provider_id, deleted);

CREATE INDEX checkpoints_of_plan ON checkpoints (plan_id, provider_id, deleted, created_at, id);

CREATE INDEX checkpoints_of_project ON checkpoints (project_id, provider_id, deleted, created_at, id);

CREATE INDEX checkpoints_of_project_by_status ON checkpoints (project_id, provider_id, deleted, status, id);

CREATE INDEX checkpoints_of_project_by_updated_at ON checkpoints (project_id, provider_id, deleted, updated_at, id);

CREATE INDEX checkpoints_of_provider ON checkpoints (provider_id, deleted, created_at, id);

CREATE INDEX checkpoints_of_provider_by_id ON checkpoints (provider_id, deleted, id);

CREATE INDEX checkpoints_of_provider_by_project_id ON checkpoints (provider_id, deleted, project_id, id);

CREATE TABLE copied_checkpoints (
    copy_id VARCHAR(36) NOT NULL,
    position BIGINT NOT NULL,
    provider_id VARCHAR(36) NOT NULL,
    checkpoint_id VARCHAR(36) NOT NULL,
    copied_id VARCHAR(36) NOT NULL,
    bank VARCHAR(64) NOT NULL,
    status VARCHAR(64) NOT NULL,
    reason TEXT NOT NULL,
    attempts BIGINT NOT NULL,
    done BIGINT NOT NULL,
    total BIGINT NOT NULL,
    stored BIGINT NOT NULL,
    ended_at BIGINT,
    PRIMARY KEY (copy_id, position)
);

CREATE INDEX copied_checkpoints_of_checkpoint ON copied_checkpoints (checkpoint_id, provider_id, ended_at);

CREATE INDEX copied_checkpoints_of_copied ON copied_checkpoints (copied_id, provider_id, ended_at);

CREATE TABLE copies (
    id VARCHAR(36) NOT NULL PRIMARY KEY,
    project_id VARCHAR(255) NOT NULL,
    provider_id VARCHAR(36) NOT NULL,
    plan_id VARCHAR(36) NOT NULL,
    checkpoints TEXT NOT NULL,
    parameters TEXT NOT NULL,
    status VARCHAR(64) NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    deleted_at BIGINT,
    deleted SMALLINT NOT NULL
);

CREATE INDEX copies_by_deletion ON copies (deleted_at);

CREATE INDEX copies_of_project ON copies (project_id, provider_id, deleted, created_at, id);

CREATE INDEX copies_of_project_by_status ON copies (project_id, provider_id, deleted, status, id);

CREATE INDEX copies_of_project_by_updated_at ON copies (project_id, provider_id, deleted, updated_at, id);

CREATE INDEX copies_of_provider ON copies (provider_id, deleted, created_at, id);

CREATE INDEX copies_of_provider_by_id ON copies (provider_id, deleted, id);

CREATE INDEX copies_of_provider_by_project_id ON copies (provider_id, deleted, project_id, id);

CREATE TABLE drill_events (
    drill_id VARCHAR(36) NOT NULL,
    position BIGINT NOT NULL,
    name VARCHAR(64) NOT NULL,
    started_at BIGINT NOT NULL,
    ended_at BIGINT,
    result VARCHAR(64) NOT NULL,
    target TEXT NOT NULL,
    origin TEXT NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (drill_id, position, name)
);

CREATE TABLE drill_proofs (
    drill_id VARCHAR(36) NOT NULL PRIMARY KEY,
    kept SMALLINT NOT NULL,
    reason TEXT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE TABLE drills (
    id VARCHAR(36) NOT NULL PRIMARY KEY,
    project_id VARCHAR(255) NOT NULL,
    provider_id VARCHAR(36) NOT NULL,
    checkpoint_id VARCHAR(36) NOT NULL,
    plan_id VARCHAR(36) NOT NULL,
    probes TEXT NOT NULL,
    mapping TEXT NOT NULL,
    status VARCHAR(64) NOT NULL,
    verdict VARCHAR(64) NOT NULL,
    reason TEXT NOT NULL,
    recovery BIGINT NOT NULL,
    resources TEXT NOT NULL,
    evidence TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    deleted_at BIGINT,
    deleted SMALLINT NOT NULL
);

CREATE INDEX drills_of_all ON drills (deleted, created_at, id);

CREATE INDEX drills_of_all_by_id ON drills (deleted, id);

CREATE INDEX drills_of_all_by_project_id ON drills (deleted, project_id, id);

CREATE INDEX drills_of_checkpoint ON drills (checkpoint_id, provider_id, created_at, id);

CREATE INDEX drills_of_project ON drills (project_id, deleted, created_at, id);

CREATE INDEX drills_of_project_by_status ON drills (project_id, deleted, status, id);

CREATE INDEX drills_of_project_by_updated_at ON drills (project_id, deleted, updated_at, id);

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
, of_drill SMALLINT NOT NULL DEFAULT 0, asked SMALLINT NOT NULL DEFAULT 0);

CREATE INDEX holdings_of_all ON holdings (created_at, id);

CREATE UNIQUE INDEX holdings_of_operation ON holdings (operation_id, kind, cloud_id);

CREATE INDEX holdings_of_project ON holdings (project_id, created_at, id);

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
, share VARCHAR(255) NOT NULL DEFAULT '');

CREATE INDEX journal_operations_waiting ON journal_operations (ended_at, share, created_at, id);

CREATE TABLE journal_pages (
    operation_id VARCHAR(255) NOT NULL REFERENCES journal_operations (id),
    page BIGINT NOT NULL,
    steps TEXT NOT NULL,
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

CREATE INDEX keepings_held ON keepings (provider_id, held_at);

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
    given_up SMALLINT NOT NULL, claimed_until BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (operation_id, resource_key)
);

CREATE INDEX leftovers_by_try ON leftovers (given_up, tried_at);

CREATE INDEX leftovers_of_checkpoint ON leftovers (provider_id, checkpoint_id);

CREATE TABLE lendings (
    id VARCHAR(36) NOT NULL PRIMARY KEY,
    project_id VARCHAR(255) NOT NULL,
    user_id VARCHAR(255) NOT NULL,
    ends_at BIGINT NOT NULL,
    try_at BIGINT NOT NULL
);

CREATE INDEX lendings_by_try ON lendings (try_at);

CREATE TABLE mapping_profiles (
    id VARCHAR(36) NOT NULL PRIMARY KEY,
    project_id VARCHAR(255) NOT NULL,
    name VARCHAR(255) NOT NULL,
    description TEXT NOT NULL,
    mapping TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE UNIQUE INDEX mapping_profiles_by_name ON mapping_profiles (project_id, name);

CREATE INDEX mapping_profiles_of_all ON mapping_profiles (created_at, id);

CREATE INDEX mapping_profiles_of_project ON mapping_profiles (project_id, created_at, id);

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
    extra_info TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    deleted_at BIGINT,
    deleted SMALLINT NOT NULL
, ended_order BIGINT GENERATED ALWAYS AS (COALESCE(ended_at, 0)) VIRTUAL);

CREATE INDEX operation_logs_of_all ON operation_logs (deleted, created_at, id);

CREATE INDEX operation_logs_of_all_by_id ON operation_logs (deleted, id);

CREATE INDEX operation_logs_of_all_by_project_id ON operation_logs (deleted, project_id, id);

CREATE INDEX operation_logs_of_checkpoint ON operation_logs (checkpoint_id, project_id, deleted, created_at, id);

CREATE INDEX operation_logs_of_plan ON operation_logs (plan_id, project_id, deleted, created_at, id);

CREATE INDEX operation_logs_of_project ON operation_logs (project_id, deleted, created_at, id);

CREATE INDEX operation_logs_of_project_by_ended_order ON operation_logs (project_id, deleted, ended_order, id);

CREATE INDEX operation_logs_of_project_by_started_at ON operation_logs (project_id, deleted, started_at, id);

CREATE INDEX operation_logs_of_project_by_status ON operation_logs (project_id, deleted, status, id);

CREATE TABLE operation_requests (
    operation_id VARCHAR(36) NOT NULL REFERENCES operations (id),
    kind VARCHAR(16) NOT NULL,
    reason TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    answered_at BIGINT,
    answer TEXT NOT NULL,
    PRIMARY KEY (operation_id, kind)
);

CREATE INDEX operation_requests_open ON operation_requests (answered_at, created_at);

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
    parts TEXT NOT NULL,
    not_kept TEXT NOT NULL,
    started SMALLINT NOT NULL, new_bytes BIGINT NOT NULL DEFAULT 0, stored_bytes BIGINT NOT NULL DEFAULT 0, mapped TEXT,
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
    graph TEXT NOT NULL,
    parameters TEXT NOT NULL,
    delegation TEXT,
    dispatched SMALLINT NOT NULL,
    created_at BIGINT NOT NULL,
    ended_at BIGINT
, request_id VARCHAR(64) NOT NULL DEFAULT '', bank VARCHAR(64) NOT NULL DEFAULT '', choices TEXT, epoch BIGINT NOT NULL DEFAULT 0);

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
    resources TEXT NOT NULL,
    parameters TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    deleted_at BIGINT,
    deleted SMALLINT NOT NULL
);

CREATE INDEX plans_of_all ON plans (deleted, created_at, id);

CREATE INDEX plans_of_all_by_id ON plans (deleted, id);

CREATE INDEX plans_of_all_by_project_id ON plans (deleted, project_id, id);

CREATE INDEX plans_of_project ON plans (project_id, deleted, created_at, id);

CREATE INDEX plans_of_project_by_name ON plans (project_id, deleted, name, id);

CREATE INDEX plans_of_project_by_status ON plans (project_id, deleted, status, id);

CREATE INDEX plans_of_project_by_updated_at ON plans (project_id, deleted, updated_at, id);

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

CREATE TABLE replays (
    scope VARCHAR(64) NOT NULL PRIMARY KEY,
    body VARCHAR(64) NOT NULL,
    owner VARCHAR(255) NOT NULL,
    done SMALLINT NOT NULL,
    answer TEXT,
    created_at BIGINT NOT NULL
);

CREATE INDEX replays_by_age ON replays (created_at);

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

CREATE INDEX reservations_expiring ON reservations (deleted, expire);

CREATE INDEX reservations_of_checkpoint ON reservations (checkpoint_id, deleted);

CREATE INDEX reservations_of_operation ON reservations (operation_id, deleted);

CREATE INDEX reservations_of_project ON reservations (project_id, resource, deleted);

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

CREATE INDEX resources_by_deletion ON resources (deleted_at);

CREATE INDEX resources_of_plan ON resources (plan_id, deleted);

CREATE TABLE restores (
    id VARCHAR(36) NOT NULL PRIMARY KEY,
    project_id VARCHAR(255) NOT NULL,
    provider_id VARCHAR(36) NOT NULL,
    checkpoint_id VARCHAR(36) NOT NULL,
    restore_target VARCHAR(255) NOT NULL,
    parameters TEXT NOT NULL,
    status VARCHAR(64) NOT NULL,
    resources_status TEXT NOT NULL,
    resources_reason TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    deleted_at BIGINT,
    deleted SMALLINT NOT NULL
, keep_on_failure SMALLINT NOT NULL DEFAULT 0, stand_in TEXT, choices TEXT);

CREATE INDEX restores_of_all ON restores (deleted, created_at, id);

CREATE INDEX restores_of_all_by_id ON restores (deleted, id);

CREATE INDEX restores_of_all_by_project_id ON restores (deleted, project_id, id);

CREATE INDEX restores_of_project ON restores (project_id, deleted, created_at, id);

CREATE INDEX restores_of_project_by_status ON restores (project_id, deleted, status, id);

CREATE INDEX restores_of_project_by_updated_at ON restores (project_id, deleted, updated_at, id);

CREATE TABLE returned_delegations (
    id VARCHAR(36) NOT NULL PRIMARY KEY,
    scheduled_operation_id VARCHAR(36) NOT NULL,
    delegation TEXT NOT NULL,
    try_at BIGINT NOT NULL
);

CREATE TABLE revocations (
    operation_id VARCHAR(36) NOT NULL PRIMARY KEY,
    delegation TEXT NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE INDEX revocations_by_age ON revocations (created_at);

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

CREATE INDEX scheduled_operations_of_all ON scheduled_operations (deleted, created_at, id);

CREATE INDEX scheduled_operations_of_all_by_id ON scheduled_operations (deleted, id);

CREATE INDEX scheduled_operations_of_all_by_project_id ON scheduled_operations (deleted, project_id, id);

CREATE INDEX scheduled_operations_of_plan ON scheduled_operations (plan_id, deleted);

CREATE INDEX scheduled_operations_of_project ON scheduled_operations (project_id, deleted, created_at, id);

CREATE INDEX scheduled_operations_of_project_by_name ON scheduled_operations (project_id, deleted, name, id);

CREATE INDEX scheduled_operations_of_project_by_updated_at ON scheduled_operations (project_id, deleted, updated_at, id);

CREATE INDEX scheduled_operations_of_trigger ON scheduled_operations (trigger_id, deleted);

CREATE TABLE scheduled_run_operations (
    run_id VARCHAR(36) NOT NULL,
    position BIGINT NOT NULL,
    checkpoint_id VARCHAR(36) NOT NULL,
    operation_id VARCHAR(36) NOT NULL,
    state VARCHAR(32) NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (run_id, position)
);

CREATE TABLE scheduled_runs (
    id VARCHAR(36) NOT NULL PRIMARY KEY,
    scheduled_operation_id VARCHAR(36) NOT NULL,
    project_id VARCHAR(255) NOT NULL,
    expected_at BIGINT NOT NULL,
    manual SMALLINT NOT NULL,
    state VARCHAR(32) NOT NULL,
    turn BIGINT NOT NULL,
    until_at BIGINT,
    try_at BIGINT NOT NULL,
    owner VARCHAR(255) NOT NULL,
    claim BIGINT NOT NULL,
    leased_until BIGINT NOT NULL,
    triggered_at BIGINT,
    started_at BIGINT,
    ended_at BIGINT,
    checkpoint_id VARCHAR(36) NOT NULL,
    reason TEXT NOT NULL,
    deleted_at BIGINT,
    deleted SMALLINT NOT NULL
);

CREATE INDEX scheduled_runs_by_turn ON scheduled_runs (state, turn, expected_at, id);

CREATE UNIQUE INDEX scheduled_runs_of_operation ON scheduled_runs (scheduled_operation_id, expected_at);

CREATE TABLE schedules (
    scheduled_operation_id VARCHAR(36) NOT NULL PRIMARY KEY,
    project_id VARCHAR(255) NOT NULL,
    next_at BIGINT,
    due_at BIGINT,
    fired_at BIGINT NOT NULL,
    paused_until BIGINT,
    overlap_policy VARCHAR(16) NOT NULL,
    delegation TEXT,
    delegation_kind VARCHAR(32) NOT NULL,
    delegation_state VARCHAR(16) NOT NULL,
    delegation_reason TEXT NOT NULL,
    delegation_end BIGINT,
    probed_at BIGINT,
    probe_at BIGINT,
    deleted_at BIGINT,
    deleted SMALLINT NOT NULL
);

CREATE INDEX schedules_by_due ON schedules (due_at);

CREATE INDEX schedules_by_probe ON schedules (probe_at);

CREATE TABLE scratch (
    operation_id VARCHAR(36) NOT NULL REFERENCES operations (id),
    resource_key VARCHAR(600) NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (operation_id, resource_key)
);

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
, version VARCHAR(255) NOT NULL DEFAULT '');

CREATE UNIQUE INDEX services_of_host ON services (host, binary_name);

CREATE TABLE step_claims (
    operation_id VARCHAR(36) NOT NULL REFERENCES operations (id),
    step VARCHAR(255) NOT NULL,
    attempt BIGINT NOT NULL,
    PRIMARY KEY (operation_id, step)
);

CREATE TABLE target_catalogues (
    provider_id VARCHAR(36) NOT NULL,
    bank VARCHAR(64) NOT NULL,
    filled_at BIGINT NOT NULL,
    PRIMARY KEY (provider_id, bank)
);

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

CREATE INDEX triggers_of_all ON triggers (deleted, created_at, id);

CREATE INDEX triggers_of_all_by_id ON triggers (deleted, id);

CREATE INDEX triggers_of_all_by_project_id ON triggers (deleted, project_id, id);

CREATE INDEX triggers_of_project ON triggers (project_id, deleted, created_at, id);

CREATE INDEX triggers_of_project_by_name ON triggers (project_id, deleted, name, id);

CREATE INDEX triggers_of_project_by_updated_at ON triggers (project_id, deleted, updated_at, id);

CREATE TABLE turns (
    operation_id VARCHAR(36) NOT NULL REFERENCES operations (id),
    name VARCHAR(255) NOT NULL,
    holder VARCHAR(36) NOT NULL,
    step VARCHAR(255) NOT NULL,
    attempt BIGINT NOT NULL,
    until_at BIGINT NOT NULL,
    PRIMARY KEY (operation_id, name)
);

CREATE TABLE verifications (
    id VARCHAR(36) NOT NULL PRIMARY KEY,
    project_id VARCHAR(255) NOT NULL,
    provider_id VARCHAR(36) NOT NULL,
    checkpoint_id VARCHAR(36) NOT NULL,
    parameters TEXT NOT NULL,
    status VARCHAR(64) NOT NULL,
    resources_status TEXT NOT NULL,
    resources_reason TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    deleted_at BIGINT,
    deleted SMALLINT NOT NULL
, stand_in TEXT);

CREATE INDEX verifications_of_all ON verifications (deleted, created_at, id);

CREATE INDEX verifications_of_all_by_id ON verifications (deleted, id);

CREATE INDEX verifications_of_all_by_project_id ON verifications (deleted, project_id, id);

CREATE INDEX verifications_of_checkpoint ON verifications (checkpoint_id, provider_id, created_at);

CREATE INDEX verifications_of_project ON verifications (project_id, deleted, created_at, id);

CREATE INDEX verifications_of_project_by_status ON verifications (project_id, deleted, status, id);

CREATE INDEX verifications_of_project_by_updated_at ON verifications (project_id, deleted, updated_at, id);

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

