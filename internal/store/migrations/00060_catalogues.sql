-- +goose Up
-- Whose bank the catalogue of checkpoints has been filled from, to the end. It is
-- filled anew for each provider that is not here.
CREATE TABLE catalogues (
    provider_id VARCHAR(36) NOT NULL PRIMARY KEY,
    filled_at BIGINT NOT NULL
);

-- +goose Down
DROP TABLE catalogues;
