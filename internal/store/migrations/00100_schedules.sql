-- +goose Up
-- When a scheduled operation runs next, and as whom. next_at is the next expected time, NULL
-- if there is none or if it is not computed yet; due_at is when its run is made, later than
-- that by its share of the jitter, 0 if the next time is to be computed, NULL if there is
-- none. Of no time up to fired_at is there another run, whatever clocks and triggers say.
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

-- The runs of scheduled operations: one for each expected time. until_at is when a run that
-- has not begun is dropped; NULL for one that waits for an earlier one. owner has claimed it
-- until leased_until, for the claim-th time. Runs begin in the order of turn, which deals them
-- out between projects.
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
CREATE UNIQUE INDEX scheduled_runs_of_operation ON scheduled_runs (scheduled_operation_id, expected_at);
CREATE INDEX scheduled_runs_by_turn ON scheduled_runs (state, turn, expected_at, id);

-- Delegations that no scheduled operation uses any more, until they are given back.
CREATE TABLE returned_delegations (
    id VARCHAR(36) NOT NULL PRIMARY KEY,
    scheduled_operation_id VARCHAR(36) NOT NULL,
    delegation TEXT NOT NULL,
    try_at BIGINT NOT NULL
);

INSERT INTO schedules (scheduled_operation_id, project_id, next_at, due_at, fired_at, overlap_policy, delegation_kind,
    delegation_state, delegation_reason, deleted)
    SELECT id, project_id, NULL, 0, 0, 'skip', '', 'missing', '', 0 FROM scheduled_operations WHERE deleted = 0;

-- +goose Down
DROP TABLE returned_delegations;
DROP TABLE scheduled_runs;
DROP TABLE schedules;
