-- +goose Up
-- What users have registered for operations that Keystone gives no trust for.
-- sealed is encrypted under the service key.
CREATE TABLE application_credentials (
    project_id VARCHAR(255) NOT NULL,
    user_id VARCHAR(255) NOT NULL,
    id VARCHAR(255) NOT NULL,
    sealed TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (project_id, user_id)
);
