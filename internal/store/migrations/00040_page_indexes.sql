-- +goose Up
-- Lists are read in pages behind a marker: each key that a list may be sorted by has an
-- index that begins with what the list is narrowed to, for one project and for all. Those
-- by project_id serve a project's list by id, too.

-- The date of the end as a key, 0 as long as there is none: databases sort NULL each in
-- their own way.
ALTER TABLE operation_logs ADD COLUMN ended_order BIGINT GENERATED ALWAYS AS (COALESCE(ended_at, 0)) VIRTUAL;

CREATE INDEX plans_of_project_by_name ON plans (project_id, deleted, name, id);
CREATE INDEX plans_of_project_by_description ON plans (project_id, deleted, description, id);
CREATE INDEX plans_of_project_by_status ON plans (project_id, deleted, status, id);
CREATE INDEX plans_of_project_by_provider_id ON plans (project_id, deleted, provider_id, id);
CREATE INDEX plans_of_project_by_updated_at ON plans (project_id, deleted, updated_at, id);
CREATE INDEX plans_of_all_by_id ON plans (deleted, id);
CREATE INDEX plans_of_all_by_name ON plans (deleted, name, id);
CREATE INDEX plans_of_all_by_description ON plans (deleted, description, id);
CREATE INDEX plans_of_all_by_status ON plans (deleted, status, id);
CREATE INDEX plans_of_all_by_provider_id ON plans (deleted, provider_id, id);
CREATE INDEX plans_of_all_by_updated_at ON plans (deleted, updated_at, id);
CREATE INDEX plans_of_all_by_project_id ON plans (deleted, project_id, id);

CREATE INDEX checkpoints_of_project_by_plan_id ON checkpoints (project_id, provider_id, deleted, plan_id, id);
CREATE INDEX checkpoints_of_project_by_status ON checkpoints (project_id, provider_id, deleted, status, id);
CREATE INDEX checkpoints_of_project_by_updated_at ON checkpoints (project_id, provider_id, deleted, updated_at, id);
CREATE INDEX checkpoints_of_provider_by_id ON checkpoints (provider_id, deleted, id);
CREATE INDEX checkpoints_of_provider_by_plan_id ON checkpoints (provider_id, deleted, plan_id, id);
CREATE INDEX checkpoints_of_provider_by_status ON checkpoints (provider_id, deleted, status, id);
CREATE INDEX checkpoints_of_provider_by_updated_at ON checkpoints (provider_id, deleted, updated_at, id);
CREATE INDEX checkpoints_of_provider_by_project_id ON checkpoints (provider_id, deleted, project_id, id);

CREATE INDEX restores_of_project_by_provider_id ON restores (project_id, deleted, provider_id, id);
CREATE INDEX restores_of_project_by_checkpoint_id ON restores (project_id, deleted, checkpoint_id, id);
CREATE INDEX restores_of_project_by_restore_target ON restores (project_id, deleted, restore_target, id);
CREATE INDEX restores_of_project_by_status ON restores (project_id, deleted, status, id);
CREATE INDEX restores_of_project_by_updated_at ON restores (project_id, deleted, updated_at, id);
CREATE INDEX restores_of_all_by_id ON restores (deleted, id);
CREATE INDEX restores_of_all_by_provider_id ON restores (deleted, provider_id, id);
CREATE INDEX restores_of_all_by_checkpoint_id ON restores (deleted, checkpoint_id, id);
CREATE INDEX restores_of_all_by_restore_target ON restores (deleted, restore_target, id);
CREATE INDEX restores_of_all_by_status ON restores (deleted, status, id);
CREATE INDEX restores_of_all_by_updated_at ON restores (deleted, updated_at, id);
CREATE INDEX restores_of_all_by_project_id ON restores (deleted, project_id, id);

CREATE INDEX operation_logs_of_project_by_operation_type ON operation_logs (project_id, deleted, operation_type, id);
CREATE INDEX operation_logs_of_project_by_checkpoint_id ON operation_logs (project_id, deleted, checkpoint_id, id);
CREATE INDEX operation_logs_of_project_by_plan_id ON operation_logs (project_id, deleted, plan_id, id);
CREATE INDEX operation_logs_of_project_by_provider_id ON operation_logs (project_id, deleted, provider_id, id);
CREATE INDEX operation_logs_of_project_by_restore_id ON operation_logs (project_id, deleted, restore_id, id);
CREATE INDEX operation_logs_of_project_by_scheduled_operation_id ON operation_logs (project_id, deleted, scheduled_operation_id, id);
CREATE INDEX operation_logs_of_project_by_status ON operation_logs (project_id, deleted, status, id);
CREATE INDEX operation_logs_of_project_by_started_at ON operation_logs (project_id, deleted, started_at, id);
CREATE INDEX operation_logs_of_project_by_ended_order ON operation_logs (project_id, deleted, ended_order, id);
CREATE INDEX operation_logs_of_all_by_id ON operation_logs (deleted, id);
CREATE INDEX operation_logs_of_all_by_operation_type ON operation_logs (deleted, operation_type, id);
CREATE INDEX operation_logs_of_all_by_checkpoint_id ON operation_logs (deleted, checkpoint_id, id);
CREATE INDEX operation_logs_of_all_by_plan_id ON operation_logs (deleted, plan_id, id);
CREATE INDEX operation_logs_of_all_by_provider_id ON operation_logs (deleted, provider_id, id);
CREATE INDEX operation_logs_of_all_by_restore_id ON operation_logs (deleted, restore_id, id);
CREATE INDEX operation_logs_of_all_by_scheduled_operation_id ON operation_logs (deleted, scheduled_operation_id, id);
CREATE INDEX operation_logs_of_all_by_status ON operation_logs (deleted, status, id);
CREATE INDEX operation_logs_of_all_by_started_at ON operation_logs (deleted, started_at, id);
CREATE INDEX operation_logs_of_all_by_ended_order ON operation_logs (deleted, ended_order, id);
CREATE INDEX operation_logs_of_all_by_project_id ON operation_logs (deleted, project_id, id);

CREATE INDEX triggers_of_project_by_name ON triggers (project_id, deleted, name, id);
CREATE INDEX triggers_of_project_by_type ON triggers (project_id, deleted, type, id);
CREATE INDEX triggers_of_project_by_updated_at ON triggers (project_id, deleted, updated_at, id);
CREATE INDEX triggers_of_all_by_id ON triggers (deleted, id);
CREATE INDEX triggers_of_all_by_name ON triggers (deleted, name, id);
CREATE INDEX triggers_of_all_by_type ON triggers (deleted, type, id);
CREATE INDEX triggers_of_all_by_updated_at ON triggers (deleted, updated_at, id);
CREATE INDEX triggers_of_all_by_project_id ON triggers (deleted, project_id, id);

CREATE INDEX scheduled_operations_of_project_by_name ON scheduled_operations (project_id, deleted, name, id);
CREATE INDEX scheduled_operations_of_project_by_description ON scheduled_operations (project_id, deleted, description, id);
CREATE INDEX scheduled_operations_of_project_by_operation_type ON scheduled_operations (project_id, deleted, operation_type, id);
CREATE INDEX scheduled_operations_of_project_by_trigger_id ON scheduled_operations (project_id, deleted, trigger_id, id);
CREATE INDEX scheduled_operations_of_project_by_enabled ON scheduled_operations (project_id, deleted, enabled, id);
CREATE INDEX scheduled_operations_of_project_by_updated_at ON scheduled_operations (project_id, deleted, updated_at, id);
CREATE INDEX scheduled_operations_of_all_by_id ON scheduled_operations (deleted, id);
CREATE INDEX scheduled_operations_of_all_by_name ON scheduled_operations (deleted, name, id);
CREATE INDEX scheduled_operations_of_all_by_description ON scheduled_operations (deleted, description, id);
CREATE INDEX scheduled_operations_of_all_by_operation_type ON scheduled_operations (deleted, operation_type, id);
CREATE INDEX scheduled_operations_of_all_by_trigger_id ON scheduled_operations (deleted, trigger_id, id);
CREATE INDEX scheduled_operations_of_all_by_enabled ON scheduled_operations (deleted, enabled, id);
CREATE INDEX scheduled_operations_of_all_by_updated_at ON scheduled_operations (deleted, updated_at, id);
CREATE INDEX scheduled_operations_of_all_by_project_id ON scheduled_operations (deleted, project_id, id);

CREATE INDEX verifications_of_project_by_provider_id ON verifications (project_id, deleted, provider_id, id);
CREATE INDEX verifications_of_project_by_checkpoint_id ON verifications (project_id, deleted, checkpoint_id, id);
CREATE INDEX verifications_of_project_by_status ON verifications (project_id, deleted, status, id);
CREATE INDEX verifications_of_project_by_updated_at ON verifications (project_id, deleted, updated_at, id);
CREATE INDEX verifications_of_all_by_id ON verifications (deleted, id);
CREATE INDEX verifications_of_all_by_provider_id ON verifications (deleted, provider_id, id);
CREATE INDEX verifications_of_all_by_checkpoint_id ON verifications (deleted, checkpoint_id, id);
CREATE INDEX verifications_of_all_by_status ON verifications (deleted, status, id);
CREATE INDEX verifications_of_all_by_updated_at ON verifications (deleted, updated_at, id);
CREATE INDEX verifications_of_all_by_project_id ON verifications (deleted, project_id, id);

CREATE INDEX copies_of_project_by_plan_id ON copies (project_id, provider_id, deleted, plan_id, id);
CREATE INDEX copies_of_project_by_status ON copies (project_id, provider_id, deleted, status, id);
CREATE INDEX copies_of_project_by_updated_at ON copies (project_id, provider_id, deleted, updated_at, id);
CREATE INDEX copies_of_provider_by_id ON copies (provider_id, deleted, id);
CREATE INDEX copies_of_provider_by_plan_id ON copies (provider_id, deleted, plan_id, id);
CREATE INDEX copies_of_provider_by_status ON copies (provider_id, deleted, status, id);
CREATE INDEX copies_of_provider_by_updated_at ON copies (provider_id, deleted, updated_at, id);
CREATE INDEX copies_of_provider_by_project_id ON copies (provider_id, deleted, project_id, id);

-- What db purge looks for.
CREATE INDEX plans_by_deletion ON plans (deleted_at);
CREATE INDEX resources_by_deletion ON resources (deleted_at);
CREATE INDEX checkpoints_by_deletion ON checkpoints (deleted_at);
CREATE INDEX restores_by_deletion ON restores (deleted_at);
CREATE INDEX operation_logs_by_deletion ON operation_logs (deleted_at);
CREATE INDEX triggers_by_deletion ON triggers (deleted_at);
CREATE INDEX scheduled_operations_by_deletion ON scheduled_operations (deleted_at);
CREATE INDEX verifications_by_deletion ON verifications (deleted_at);
CREATE INDEX copies_by_deletion ON copies (deleted_at);
CREATE INDEX reservations_by_deletion ON reservations (deleted_at);
