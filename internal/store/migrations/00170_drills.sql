-- +goose Up
-- Drills: restores for a while, with probes. recovery is in microseconds, 0 where it is not
-- known; resources has what was found of each; evidence is the signed record.
CREATE TABLE drills (
    id VARCHAR(36) NOT NULL PRIMARY KEY,
    project_id VARCHAR(255) NOT NULL,
    provider_id VARCHAR(36) NOT NULL,
    checkpoint_id VARCHAR(36) NOT NULL,
    plan_id VARCHAR(36) NOT NULL,
    probes JSON NOT NULL,
    mapping JSON NOT NULL,
    status VARCHAR(64) NOT NULL,
    verdict VARCHAR(64) NOT NULL,
    reason TEXT NOT NULL,
    recovery BIGINT NOT NULL,
    resources JSON NOT NULL,
    evidence JSON,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    deleted_at BIGINT,
    deleted SMALLINT NOT NULL
);
CREATE INDEX drills_of_project ON drills (project_id, deleted, created_at, id);
CREATE INDEX drills_of_all ON drills (deleted, created_at, id);
CREATE INDEX drills_of_project_by_status ON drills (project_id, deleted, status, id);
CREATE INDEX drills_of_project_by_updated_at ON drills (project_id, deleted, updated_at, id);
CREATE INDEX drills_of_all_by_id ON drills (deleted, id);
CREATE INDEX drills_of_all_by_project_id ON drills (deleted, project_id, id);

-- What happened in a drill, as it happens: the hooks and the probes of each resource, by its
-- place in the operation's graph. They go when the drill is over: its evidence has them.
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

-- +goose Down
DROP TABLE drill_events;
DROP TABLE drills;
