-- Whether the signed record of a drill lies in the bank, too, beside the checkpoint that it is of; if
-- not, reason says why. A drill without a row has not been looked after yet.

-- +goose Up
CREATE TABLE drill_proofs (
    drill_id VARCHAR(36) NOT NULL PRIMARY KEY,
    kept SMALLINT NOT NULL,
    reason TEXT NOT NULL,
    updated_at BIGINT NOT NULL
);

-- +goose Down
DROP TABLE drill_proofs;
