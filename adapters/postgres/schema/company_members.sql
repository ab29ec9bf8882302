-- The read model `company_members` (projections/company_members.py). Run with search_path set to the model's schema.
CREATE TABLE company_members (
    company_id   uuid        NOT NULL,
    member       int         NOT NULL CHECK (member >= 1),    -- the version of the event that added them
    account_id   uuid,                      -- null for a person of a legacy record who has no account,
    person_key   text,                      -- who is named by the key of that record
    role         text,
    fields       jsonb       NOT NULL CHECK (jsonb_typeof(fields) = 'object'),
    is_current   boolean,                   -- null where a legacy record did not say
    ended_reason text,
    created_at   timestamptz NOT NULL,      -- occurred
    updated_at   timestamptz NOT NULL,      -- occurred, of the last event
    origin       text        NOT NULL,      -- of the event that added them: live, or the import run
    version      bigint      NOT NULL CHECK (version >= member),
    position     bigint      NOT NULL,
    recorded_at  timestamptz NOT NULL       -- of the last event
);
-- indexes
ALTER TABLE company_members ADD PRIMARY KEY (company_id, member);
-- The companies an account belongs to now.
CREATE INDEX company_members_account ON company_members (account_id, company_id) WHERE is_current;
-- readers
ALTER TABLE company_members ENABLE ROW LEVEL SECURITY;
CREATE POLICY readers ON company_members FOR SELECT
    USING ((SELECT reader.sees_all()) OR company_id = ANY ((SELECT reader.companies())::uuid[]));
