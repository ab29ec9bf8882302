-- The read model `items` (projections/items.py). Run with search_path set to the model's own schema.
CREATE TABLE items (
    item_id            uuid        NOT NULL,
    account_id         uuid        NOT NULL,
    profile_id         uuid,                    -- null for an imported item whose account has no profile
    kind               text        NOT NULL,
    fields             jsonb       NOT NULL CHECK (jsonb_typeof(fields) = 'object'),
    outside_vocabulary text[]      NOT NULL,    -- fields whose value is none of those offered
    removed            boolean     NOT NULL,
    legacy_keys        jsonb       NOT NULL CHECK (jsonb_typeof(legacy_keys) = 'object'), -- ids as a legacy record wrote them
    created_at         timestamptz NOT NULL,    -- occurred
    updated_at         timestamptz NOT NULL,    -- occurred, of the last event
    origin             text        NOT NULL,    -- of the event that added it: live, or the import run
    version            bigint      NOT NULL CHECK (version >= 1),
    position           bigint      NOT NULL,
    recorded_at        timestamptz NOT NULL     -- of the last event
);
-- indexes
ALTER TABLE items ADD PRIMARY KEY (item_id);
CREATE INDEX items_account ON items (account_id);
CREATE INDEX items_profile ON items (profile_id, kind);

-- readers
ALTER TABLE items ENABLE ROW LEVEL SECURITY;
CREATE POLICY readers ON items FOR SELECT
    USING ((SELECT reader.sees_all()) OR account_id = (SELECT reader.account()));
