-- +goose Up
-- Which of a checkpoint's resources a restore brings back, and how; NULL stands for all,
-- as they were. mapped has the sentences on what took the place of what.
ALTER TABLE restores ADD COLUMN choices JSON;
ALTER TABLE operations ADD COLUMN choices JSON;
ALTER TABLE operation_resources ADD COLUMN mapped JSON;

-- +goose Down
ALTER TABLE operation_resources DROP COLUMN mapped;
ALTER TABLE operations DROP COLUMN choices;
ALTER TABLE restores DROP COLUMN choices;
