-- +goose Up
-- A copy is a checkpoint of its own. copy_of is the checkpoint that it was copied from, bank
-- the provider's copy target whose bank it lies in; both are '' for all others.
ALTER TABLE checkpoints ADD COLUMN copy_of VARCHAR(36) NOT NULL DEFAULT '';
ALTER TABLE checkpoints ADD COLUMN bank VARCHAR(64) NOT NULL DEFAULT '';
CREATE INDEX checkpoints_of_original ON checkpoints (copy_of, provider_id, deleted);

-- The copy target in whose bank an operation works; '' for the provider's own bank.
ALTER TABLE operations ADD COLUMN bank VARCHAR(64) NOT NULL DEFAULT '';

-- The copy that stands in for the checkpoint that was asked for, and why; NULL for none.
ALTER TABLE restores ADD COLUMN stand_in JSON;
ALTER TABLE verifications ADD COLUMN stand_in JSON;

-- Whose copy target's bank the catalogue of checkpoints has been filled from, to the end, as
-- catalogues says of the providers' own banks.
CREATE TABLE target_catalogues (
    provider_id VARCHAR(36) NOT NULL,
    bank VARCHAR(64) NOT NULL,
    filled_at BIGINT NOT NULL,
    PRIMARY KEY (provider_id, bank)
);

-- What a request for copies copies, and how far it is. The request has the id of its
-- operation. A checkpoint that can't be copied has no copied_id.
CREATE TABLE copied_checkpoints (
    copy_id VARCHAR(36) NOT NULL,
    position BIGINT NOT NULL,
    provider_id VARCHAR(36) NOT NULL,
    checkpoint_id VARCHAR(36) NOT NULL,
    copied_id VARCHAR(36) NOT NULL,
    bank VARCHAR(64) NOT NULL,
    status VARCHAR(64) NOT NULL,
    reason TEXT NOT NULL,
    attempts BIGINT NOT NULL,
    done BIGINT NOT NULL,
    total BIGINT NOT NULL,
    stored BIGINT NOT NULL,
    ended_at BIGINT,
    PRIMARY KEY (copy_id, position)
);
CREATE INDEX copied_checkpoints_of_checkpoint ON copied_checkpoints (checkpoint_id, provider_id, ended_at);
CREATE INDEX copied_checkpoints_of_copied ON copied_checkpoints (copied_id, provider_id, ended_at);

-- +goose Down
DROP TABLE copied_checkpoints;
DROP TABLE target_catalogues;
ALTER TABLE verifications DROP COLUMN stand_in;
ALTER TABLE restores DROP COLUMN stand_in;
ALTER TABLE operations DROP COLUMN bank;
DROP INDEX checkpoints_of_original;
ALTER TABLE checkpoints DROP COLUMN bank;
ALTER TABLE checkpoints DROP COLUMN copy_of;
