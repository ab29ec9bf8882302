-- The read model `profiles` (projections/profiles.py). Run with search_path set to the model's own schema.
CREATE TABLE profiles (
    profile_id         uuid        NOT NULL,
    account_id         uuid        NOT NULL,
    kind               text        NOT NULL,
    fields             jsonb       NOT NULL CHECK (jsonb_typeof(fields) = 'object'),
    completeness       int         NOT NULL CHECK (completeness BETWEEN 0 AND 100),
    missing            text[]      NOT NULL,    -- required fields that are unset
    outside_vocabulary text[]      NOT NULL,    -- fields whose value is none of those offered
    verification       text        NOT NULL CHECK (verification IN ('unverified', 'pending', 'verified', 'rejected')),
    archived           boolean     NOT NULL,
    conflicts          jsonb       NOT NULL CHECK (jsonb_typeof(conflicts) = 'object'), -- open ones: field -> values
    created_at         timestamptz NOT NULL,    -- occurred
    updated_at         timestamptz NOT NULL,    -- occurred, of the last event
    origin             text        NOT NULL,    -- of the event that created it: live, or the import run
    version            bigint      NOT NULL CHECK (version >= 1),
    position           bigint      NOT NULL,
    recorded_at        timestamptz NOT NULL     -- of the last event
);
-- indexes
ALTER TABLE profiles ADD PRIMARY KEY (profile_id);
CREATE INDEX profiles_account ON profiles (account_id);
CREATE INDEX profiles_kind ON profiles (kind);
