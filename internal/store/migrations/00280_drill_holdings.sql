-- What a restore drill makes is temporary, too. of_drill is 1 for it; asked is 1 as long as the cloud has
-- not said what id it has: it is written before it is asked for, and cloud_id then tells it apart from
-- others of its operation.

-- +goose Up
ALTER TABLE holdings ADD COLUMN of_drill SMALLINT NOT NULL DEFAULT 0;
ALTER TABLE holdings ADD COLUMN asked SMALLINT NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE holdings DROP COLUMN asked;
ALTER TABLE holdings DROP COLUMN of_drill;
