-- The read model `collectives` (projections/collectives.py). Run with search_path set to the model's own schema.
CREATE TABLE collectives (
    collective_id    uuid        NOT NULL,
    company_id       uuid,                      -- a legacy record may be without
    legacy_keys      jsonb       NOT NULL CHECK (jsonb_typeof(legacy_keys) = 'object'),
    reference_number text,
    completed_at     timestamptz,
    created_at       timestamptz NOT NULL,      -- occurred
    updated_at       timestamptz NOT NULL,      -- occurred, of the last event
    origin           text        NOT NULL,      -- of the event that opened it: live, or the import run
    version          bigint      NOT NULL CHECK (version >= 1),
    position         bigint      NOT NULL,
    recorded_at      timestamptz NOT NULL       -- of the last event
);
-- indexes
ALTER TABLE collectives ADD PRIMARY KEY (collective_id);
CREATE INDEX collectives_company ON collectives (company_id);
-- readers
ALTER TABLE collectives ENABLE ROW LEVEL SECURITY;
CREATE POLICY readers ON collectives FOR SELECT
    USING ((SELECT reader.sees_all()) OR company_id = ANY ((SELECT reader.companies())::uuid[]));
