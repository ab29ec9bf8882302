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
    search_words       text[]      NOT NULL,    -- of the searchable fields, the most telling first; four weights at most
    search             tsvector    NOT NULL GENERATED ALWAYS AS (
        setweight(to_tsvector('simple', coalesce(search_words[1], '')), 'A')
        || setweight(to_tsvector('simple', coalesce(search_words[2], '')), 'B')
        || setweight(to_tsvector('simple', coalesce(search_words[3], '')), 'C')
        || setweight(to_tsvector('simple', coalesce(search_words[4], '')), 'D')
    ) STORED,
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
CREATE INDEX profiles_kind ON profiles (kind, profile_id);
CREATE INDEX profiles_fields ON profiles USING gin (fields jsonb_path_ops);
CREATE INDEX profiles_search ON profiles USING gin (search);
-- readers
ALTER TABLE profiles ENABLE ROW LEVEL SECURITY;
CREATE POLICY readers ON profiles FOR SELECT
    USING ((SELECT reader.sees_all()) OR account_id = (SELECT reader.account()));
