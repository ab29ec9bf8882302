-- The read model `accounts` (projections/accounts.py). Run with search_path set to the model's own schema.
CREATE TABLE accounts (
    account_id         uuid        NOT NULL,
    email              text,
    phone              text,
    name               text,
    details            jsonb       NOT NULL CHECK (jsonb_typeof(details) = 'object'),
    status             text        NOT NULL CHECK (status IN ('active', 'deactivated', 'erased')),
    roles              text[]      NOT NULL,
    primary_profile_id uuid,                    -- the first profile the account ever had
    active_profile_id  uuid,                    -- null after the active one was archived
    registered_at      timestamptz NOT NULL,    -- occurred
    updated_at         timestamptz NOT NULL,    -- occurred, of the last event
    origin             text        NOT NULL,    -- of the event that registered it: live, or the import run
    version            bigint      NOT NULL CHECK (version >= 1),
    position           bigint      NOT NULL,
    recorded_at        timestamptz NOT NULL     -- of the last event
);
-- indexes
ALTER TABLE accounts ADD PRIMARY KEY (account_id);
-- Hash: a legacy email or phone can be any text, and a btree refuses one beyond 2.7 kB.
CREATE INDEX accounts_email ON accounts USING hash (lower(email));
CREATE INDEX accounts_phone ON accounts USING hash (phone);
CREATE INDEX accounts_sms_phone ON accounts USING hash ((details ->> 'sms_phone'));
-- readers
ALTER TABLE accounts ENABLE ROW LEVEL SECURITY;
CREATE POLICY readers ON accounts FOR SELECT
    USING ((SELECT reader.sees_all()) OR account_id = (SELECT reader.account()));
