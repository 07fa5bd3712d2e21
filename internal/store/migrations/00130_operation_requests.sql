-- +goose Up
-- What is asked of an operation: by its tenant (cancel), or by an operator (cancel, fail,
-- retry). It is open until the service has answered.
CREATE TABLE operation_requests (
    operation_id VARCHAR(36) NOT NULL REFERENCES operations (id),
    kind VARCHAR(16) NOT NULL,
    reason TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    answered_at BIGINT,
    answer TEXT NOT NULL,
    PRIMARY KEY (operation_id, kind)
);
CREATE INDEX operation_requests_open ON operation_requests (answered_at, created_at);

-- +goose Down
DROP TABLE operation_requests;
