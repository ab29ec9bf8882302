-- What each running follower says of itself, now and then. Who follows a read model is told by its lock alone.
CREATE TABLE followers (
    backend    int              PRIMARY KEY,    -- the server process of the connection that holds its locks
    started_at timestamptz      NOT NULL DEFAULT now(),
    seen_at    timestamptz      NOT NULL DEFAULT now(),
    rate       double precision NOT NULL DEFAULT 0,    -- events a second, lately
    failures   int              NOT NULL DEFAULT 0,    -- in a row
    failure    text,                            -- code of the last one
    failed_at  timestamptz
);
