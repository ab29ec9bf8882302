-- The read model `messages` (projections/messages.py). Run with search_path set to the model's own schema.
CREATE TABLE messages (
    conversation_id uuid        NOT NULL,
    number          bigint      NOT NULL CHECK (number >= 2),    -- the version of the event that made it
    key             text,                    -- of the legacy row an import found it in
    role            text,                    -- an import keeps what it found, also none
    content         text,                    -- null: off the record, or an imported message without any
    off_record      boolean     NOT NULL,
    sent_at         timestamptz,             -- null: an imported one that does not tell
    updated_at      timestamptz NOT NULL,    -- occurred
    origin          text        NOT NULL,    -- live, or the import run
    version         bigint      NOT NULL CHECK (version = number),
    position        bigint      NOT NULL,
    recorded_at     timestamptz NOT NULL
);
-- indexes
ALTER TABLE messages ADD PRIMARY KEY (conversation_id, number);
CREATE INDEX messages_sent ON messages (conversation_id, sent_at);
-- readers
ALTER TABLE messages ENABLE ROW LEVEL SECURITY;
CREATE POLICY readers ON messages FOR SELECT
    USING ((SELECT reader.sees_all()) OR reader.reads_conversation(conversation_id));
