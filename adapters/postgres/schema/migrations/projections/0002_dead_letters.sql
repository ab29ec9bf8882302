-- The event that halts a stream in a read model. The record stays as it was before it until the event is folded or skipped.
CREATE TABLE dead_letters (
    read_model text        NOT NULL,
    stream     uuid        NOT NULL,
    version    bigint      NOT NULL,
    position   bigint      NOT NULL,
    topic      text        NOT NULL,
    error      text        NOT NULL,            -- what went wrong and where; no value of the event
    attempts   int         NOT NULL DEFAULT 1,
    failed_at  timestamptz NOT NULL DEFAULT now(),    -- first
    tried_at   timestamptz NOT NULL DEFAULT now(),    -- last
    PRIMARY KEY (read_model, stream)
);
CREATE INDEX dead_letters_stream ON dead_letters (stream);
