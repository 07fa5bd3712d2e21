-- +goose Up
-- The version of the program that reported last.
ALTER TABLE services ADD COLUMN version VARCHAR(255) NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE services DROP COLUMN version;
