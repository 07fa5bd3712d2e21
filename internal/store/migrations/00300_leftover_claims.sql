-- Until when somebody tries to remove something, by the database's clock: for that long nobody else does.

-- +goose Up
ALTER TABLE leftovers ADD COLUMN claimed_until BIGINT NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE leftovers DROP COLUMN claimed_until;
