-- The read model `companies` (projections/companies.py). Run with search_path set to the model's own schema.
CREATE TABLE companies (
    company_id  uuid        NOT NULL,
    name        text,                      -- a legacy record may be without
    name_key    text,                      -- trimmed and casefolded, to look it up by
    tax_id      text,
    tax_digits  text,                      -- its digits, to look it up by
    fields      jsonb       NOT NULL CHECK (jsonb_typeof(fields) = 'object'),
    is_active   boolean,                   -- as a legacy record said; null where it did not
    created_at  timestamptz NOT NULL,      -- occurred
    updated_at  timestamptz NOT NULL,      -- occurred, of the last event
    origin      text        NOT NULL,      -- of the event that registered it: live, or the import run
    version     bigint      NOT NULL CHECK (version >= 1),
    position    bigint      NOT NULL,
    recorded_at timestamptz NOT NULL       -- of the last event
);
-- indexes
ALTER TABLE companies ADD PRIMARY KEY (company_id);
-- Hash: a legacy name can be any text, and a btree refuses one beyond 2.7 kB.
CREATE INDEX companies_name ON companies USING hash (name_key);
CREATE INDEX companies_tax ON companies USING hash (tax_digits);
-- readers
ALTER TABLE companies ENABLE ROW LEVEL SECURITY;
CREATE POLICY readers ON companies FOR SELECT
    USING ((SELECT reader.sees_all()) OR company_id = ANY ((SELECT reader.companies())::uuid[]));
