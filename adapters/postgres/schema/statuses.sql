-- The read model `statuses` (projections/statuses.py). Run with search_path set to the model's own schema.
CREATE TABLE statuses (
    status_id       uuid        NOT NULL,
    code            text,                      -- a legacy record may be without
    catalogue       text        NOT NULL,
    name            text,                      -- so may its name
    name_en         text,
    description     text,
    category        text,
    colour          text,
    sort_order      bigint,                    -- the place in lists
    workflow_order  bigint,                    -- the place in the workflow
    fillable_fields text[]      NOT NULL,
    allow_documents boolean,
    may_go_to       text[],                    -- null: the order is advisory
    in_use          boolean     NOT NULL,
    created_at      timestamptz NOT NULL,      -- occurred, of the first event
    updated_at      timestamptz NOT NULL,      -- occurred, of the last event
    origin          text        NOT NULL,      -- of the first event: live, or the import run
    version         bigint      NOT NULL CHECK (version >= 1),
    position        bigint      NOT NULL,
    recorded_at     timestamptz NOT NULL       -- of the last event
);
-- indexes
ALTER TABLE statuses ADD PRIMARY KEY (status_id);
-- Hash: a legacy code can be any text, and a btree refuses one beyond 2.7 kB.
CREATE INDEX statuses_code ON statuses USING hash (code);
-- readers
ALTER TABLE statuses ENABLE ROW LEVEL SECURITY;
CREATE POLICY readers ON statuses FOR SELECT
    USING ((SELECT reader.sees_all()) OR (SELECT reader.account()) IS NOT NULL);
