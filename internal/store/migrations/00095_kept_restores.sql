-- +goose Up
-- Whether what a restore has made stays when it fails.
ALTER TABLE restores ADD COLUMN keep_on_failure SMALLINT NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE restores DROP COLUMN keep_on_failure;
