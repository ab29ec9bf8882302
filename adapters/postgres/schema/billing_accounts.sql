-- The read model `billing_accounts` (projections/billing_accounts.py). Run with search_path set to the model's own schema.
CREATE TABLE billing_accounts (
    billing_id         uuid        NOT NULL,
    account_id         uuid        NOT NULL,
    fields             jsonb       NOT NULL CHECK (jsonb_typeof(fields) = 'object'),
    outside_vocabulary text[]      NOT NULL,    -- fields whose value is none of those offered
    status             text,                    -- of the subscription; null where nobody ever said one
    status_entry       int,                     -- the entry of the status history it comes from
    status_since       timestamptz,
    created_at         timestamptz NOT NULL,    -- occurred
    updated_at         timestamptz NOT NULL,    -- occurred, of the last event
    origin             text        NOT NULL,    -- of the event that opened it: live, or the import run
    version            bigint      NOT NULL CHECK (version >= 1),
    position           bigint      NOT NULL,
    recorded_at        timestamptz NOT NULL,    -- of the last event
    CHECK (num_nonnulls(status, status_entry, status_since) IN (0, 3))
);
-- indexes
ALTER TABLE billing_accounts ADD PRIMARY KEY (billing_id);
ALTER TABLE billing_accounts ADD UNIQUE (account_id);
-- Webhooks name the customer. Hash: as for the email of an account, a legacy value can be any text.
CREATE INDEX billing_accounts_customer ON billing_accounts USING hash ((fields ->> 'stripe_customer_id'));
-- readers
ALTER TABLE billing_accounts ENABLE ROW LEVEL SECURITY;
CREATE POLICY readers ON billing_accounts FOR SELECT
    USING ((SELECT reader.sees_all()) OR account_id = (SELECT reader.account()));
