-- +goose Up
-- What takes the place of what in restores, under a name, which is unique in its project.
CREATE TABLE mapping_profiles (
    id VARCHAR(36) NOT NULL PRIMARY KEY,
    project_id VARCHAR(255) NOT NULL,
    name VARCHAR(255) NOT NULL,
    description TEXT NOT NULL,
    mapping JSON NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX mapping_profiles_by_name ON mapping_profiles (project_id, name);
CREATE INDEX mapping_profiles_of_project ON mapping_profiles (project_id, created_at, id);
CREATE INDEX mapping_profiles_of_all ON mapping_profiles (created_at, id);
