-- The Merkle tree over the log. Run with search_path set to its schema.

-- A row for each tile of at most 256 hashes. Tiles of level 0 hold the leaves of the log in order, and the positions of
-- the events they were made from (8 bytes each, big-endian): positions may have gaps, the ranks of leaves have none.
CREATE TABLE IF NOT EXISTS tiles (
    level          smallint NOT NULL,
    number         bigint   NOT NULL,
    hashes         bytea    NOT NULL,
    first_position bigint,
    positions      bytea,
    PRIMARY KEY (level, number),
    CHECK ((level = 0) = (first_position IS NOT NULL AND positions IS NOT NULL))
);
ALTER TABLE tiles ALTER COLUMN hashes SET STORAGE EXTERNAL;
CREATE UNIQUE INDEX IF NOT EXISTS tiles_by_position ON tiles (first_position) WHERE level = 0;

-- How far the tree has come: one row.
CREATE TABLE IF NOT EXISTS tree (
    only_one   boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    size       bigint NOT NULL,
    position   bigint NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO tree (size, position) VALUES (0, 0) ON CONFLICT DO NOTHING;
