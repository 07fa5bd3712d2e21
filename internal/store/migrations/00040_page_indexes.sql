-- +goose Up
-- Lists are read in pages behind a marker, in an index that begins with what the list is
-- narrowed to and goes on with the key that it is sorted by. Each index is paid for with
-- every row that is written, so only the keys that people sort by have one: of a project
-- id, the dates, name and status, of all projects id, created_at and project_id. Those by
-- project_id serve a project's list by id, too.

-- The date of the end as a key, 0 as long as there is none: databases sort NULL each in
-- their own way.
ALTER TABLE operation_logs ADD COLUMN ended_order BIGINT GENERATED ALWAYS AS (COALESCE(ended_at, 0)) VIRTUAL;

CREATE INDEX plans_of_project_by_name ON plans (project_id, deleted, name, id);
CREATE INDEX plans_of_project_by_status ON plans (project_id, deleted, status, id);
CREATE INDEX plans_of_project_by_updated_at ON plans (project_id, deleted, updated_at, id);
CREATE INDEX plans_of_all_by_id ON plans (deleted, id);
CREATE INDEX plans_of_all_by_project_id ON plans (deleted, project_id, id);

CREATE INDEX checkpoints_of_project_by_status ON checkpoints (project_id, provider_id, deleted, status, id);
CREATE INDEX checkpoints_of_project_by_updated_at ON checkpoints (project_id, provider_id, deleted, updated_at, id);
CREATE INDEX checkpoints_of_provider_by_id ON checkpoints (provider_id, deleted, id);
CREATE INDEX checkpoints_of_provider_by_project_id ON checkpoints (provider_id, deleted, project_id, id);

CREATE INDEX restores_of_project_by_status ON restores (project_id, deleted, status, id);
CREATE INDEX restores_of_project_by_updated_at ON restores (project_id, deleted, updated_at, id);
CREATE INDEX restores_of_all_by_id ON restores (deleted, id);
CREATE INDEX restores_of_all_by_project_id ON restores (deleted, project_id, id);

CREATE INDEX operation_logs_of_project_by_status ON operation_logs (project_id, deleted, status, id);
CREATE INDEX operation_logs_of_project_by_started_at ON operation_logs (project_id, deleted, started_at, id);
CREATE INDEX operation_logs_of_project_by_ended_order ON operation_logs (project_id, deleted, ended_order, id);
CREATE INDEX operation_logs_of_all_by_id ON operation_logs (deleted, id);
CREATE INDEX operation_logs_of_all_by_project_id ON operation_logs (deleted, project_id, id);

CREATE INDEX triggers_of_project_by_name ON triggers (project_id, deleted, name, id);
CREATE INDEX triggers_of_project_by_updated_at ON triggers (project_id, deleted, updated_at, id);
CREATE INDEX triggers_of_all_by_id ON triggers (deleted, id);
CREATE INDEX triggers_of_all_by_project_id ON triggers (deleted, project_id, id);

CREATE INDEX scheduled_operations_of_project_by_name ON scheduled_operations (project_id, deleted, name, id);
CREATE INDEX scheduled_operations_of_project_by_updated_at ON scheduled_operations (project_id, deleted, updated_at, id);
CREATE INDEX scheduled_operations_of_all_by_id ON scheduled_operations (deleted, id);
CREATE INDEX scheduled_operations_of_all_by_project_id ON scheduled_operations (deleted, project_id, id);

CREATE INDEX verifications_of_project_by_status ON verifications (project_id, deleted, status, id);
CREATE INDEX verifications_of_project_by_updated_at ON verifications (project_id, deleted, updated_at, id);
CREATE INDEX verifications_of_all_by_id ON verifications (deleted, id);
CREATE INDEX verifications_of_all_by_project_id ON verifications (deleted, project_id, id);

CREATE INDEX copies_of_project_by_status ON copies (project_id, provider_id, deleted, status, id);
CREATE INDEX copies_of_project_by_updated_at ON copies (project_id, provider_id, deleted, updated_at, id);
CREATE INDEX copies_of_provider_by_id ON copies (provider_id, deleted, id);
CREATE INDEX copies_of_provider_by_project_id ON copies (provider_id, deleted, project_id, id);

-- What the logs of a project are filtered by, newest first. A plan's checkpoints have their
-- index from the beginning.
CREATE INDEX operation_logs_of_checkpoint ON operation_logs (checkpoint_id, project_id, deleted, created_at, id);
CREATE INDEX operation_logs_of_plan ON operation_logs (plan_id, project_id, deleted, created_at, id);

-- What db purge looks for, where no other index tells the deleted rows.
CREATE INDEX resources_by_deletion ON resources (deleted_at);
CREATE INDEX checkpoints_by_deletion ON checkpoints (deleted_at);
CREATE INDEX copies_by_deletion ON copies (deleted_at);
