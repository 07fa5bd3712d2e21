-- +goose Up
-- How often an operation was handed to an engine anew, since the engine had lost it. Attempts
-- that the lost engine gave away write nothing any more.
ALTER TABLE operations ADD COLUMN epoch BIGINT NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE operations DROP COLUMN epoch;
