-- +goose Up
-- What a protect operation put into the bank: bytes that were not there before, and bytes
-- that the bank has got more. figures has the same of a checkpoint's resources, once it is
-- made; NULL where it is not known.
ALTER TABLE operation_resources ADD COLUMN new_bytes BIGINT NOT NULL DEFAULT 0;
ALTER TABLE operation_resources ADD COLUMN stored_bytes BIGINT NOT NULL DEFAULT 0;
ALTER TABLE checkpoints ADD COLUMN figures JSON;

-- +goose Down
ALTER TABLE checkpoints DROP COLUMN figures;
ALTER TABLE operation_resources DROP COLUMN stored_bytes;
ALTER TABLE operation_resources DROP COLUMN new_bytes;
