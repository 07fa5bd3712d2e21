-- +goose Up
-- Whose turn it is among the hooks of an operation that make things which they share, in whatever processes they
-- run. A turn is over when it is given back (then its row goes), when its time is, or when a later attempt of
-- its holder's step has begun. The rows go with the end of the operation.
CREATE TABLE turns (
    operation_id VARCHAR(36) NOT NULL REFERENCES operations (id),
    name VARCHAR(255) NOT NULL,
    holder VARCHAR(36) NOT NULL,
    step VARCHAR(255) NOT NULL,
    attempt BIGINT NOT NULL,
    until_at BIGINT NOT NULL,
    PRIMARY KEY (operation_id, name)
);

-- +goose Down
DROP TABLE turns;
