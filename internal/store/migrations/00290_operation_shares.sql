-- +goose Up
-- Whose an operation is, for the local engine: it lets each project have its turn.
ALTER TABLE journal_operations ADD COLUMN share VARCHAR(255) NOT NULL DEFAULT '';
UPDATE journal_operations SET share = COALESCE((SELECT project_id FROM operations WHERE operations.id = journal_operations.id), '')
    WHERE ended_at IS NULL;
CREATE INDEX journal_operations_waiting ON journal_operations (ended_at, share, created_at, id);
-- Here MariaDB and MySQL want the name of the table; for others it is a comment.
DROP INDEX journal_operations_unfinished /*! ON journal_operations */;

-- +goose Down
CREATE INDEX journal_operations_unfinished ON journal_operations (ended_at, created_at, id);
DROP INDEX journal_operations_waiting /*! ON journal_operations */;
ALTER TABLE journal_operations DROP COLUMN share;
