-- Lists of checkpoints tell of each one's last drill.

-- +goose Up
CREATE INDEX drills_of_checkpoint ON drills (checkpoint_id, provider_id, created_at, id);

-- +goose Down
DROP INDEX drills_of_checkpoint;
