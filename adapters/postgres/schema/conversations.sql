-- The read model `conversations` (projections/conversations.py). Run with search_path set to the model's own schema.
CREATE TABLE conversations (
    conversation_id    uuid        NOT NULL,
    account_id         uuid        NOT NULL,
    context            text,                    -- what it is about, where it is about one relationship context
    context_profile_id text,                    -- the legacy row an import found its messages under
    began_at           timestamptz,             -- null: an imported one that does not tell
    message_count      bigint      NOT NULL CHECK (message_count >= 0),
    interaction_count  bigint,                  -- those of an import's past too; null where nobody counted them
    last_message_at    timestamptz,
    summary            text,
    summary_version    text,
    token_usage        jsonb       NOT NULL CHECK (jsonb_typeof(token_usage) = 'object'), -- of the summary
    created_at         timestamptz NOT NULL,    -- occurred
    updated_at         timestamptz NOT NULL,    -- occurred, of the last event
    origin             text        NOT NULL,    -- of the event that started it: live, or the import run
    version            bigint      NOT NULL CHECK (version >= 1),
    position           bigint      NOT NULL,
    recorded_at        timestamptz NOT NULL     -- of the last event
);
-- indexes
ALTER TABLE conversations ADD PRIMARY KEY (conversation_id);
CREATE INDEX conversations_account ON conversations (account_id);
-- readers
ALTER TABLE conversations ENABLE ROW LEVEL SECURITY;
CREATE POLICY readers ON conversations FOR SELECT
    USING ((SELECT reader.sees_all()) OR account_id = (SELECT reader.account()));
