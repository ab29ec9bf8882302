-- The read model `intents` (projections/intents.py). Run with search_path set to the model's own schema.
CREATE TABLE intents (
    intent_id          uuid        NOT NULL,
    account_id         uuid        NOT NULL,
    context            text        NOT NULL
        CHECK (context IN ('romantic', 'friendship', 'professional', 'creative', 'service')),
    status             text        NOT NULL CHECK (status IN ('declared', 'withdrawn')),
    fields             jsonb       NOT NULL CHECK (jsonb_typeof(fields) = 'object' AND NOT fields ? 'tone_preference'),
    tone_preference    text,                    -- an import keeps what it found, also outside the vocabulary
    context_profile_id text,                    -- the legacy row an import found it in
    completeness       int         NOT NULL CHECK (completeness BETWEEN 0 AND 100),
    missing            text[]      NOT NULL,    -- required fields that are unset
    outside_vocabulary text[]      NOT NULL,    -- fields whose value is none of those offered
    created_at         timestamptz NOT NULL,    -- occurred, of the newest declaration
    updated_at         timestamptz NOT NULL,    -- occurred, of the last event
    origin             text        NOT NULL,    -- of the newest declaration: live, or the import run
    version            bigint      NOT NULL CHECK (version >= 1),
    position           bigint      NOT NULL,
    recorded_at        timestamptz NOT NULL     -- of the last event
);
-- indexes
ALTER TABLE intents ADD PRIMARY KEY (intent_id);
ALTER TABLE intents ADD UNIQUE (account_id, context);
CREATE INDEX intents_context ON intents (context, status, intent_id);
-- readers
ALTER TABLE intents ENABLE ROW LEVEL SECURITY;
CREATE POLICY readers ON intents FOR SELECT
    USING ((SELECT reader.sees_all()) OR account_id = (SELECT reader.account()));
