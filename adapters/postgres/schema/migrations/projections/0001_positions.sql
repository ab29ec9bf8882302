-- How far each read model has come.
CREATE TABLE IF NOT EXISTS positions (
    read_model text        PRIMARY KEY,
    version    int         NOT NULL,            -- of the fold and the table; another one means: rebuild
    position   bigint      NOT NULL CHECK (position >= 0),
    updated_at timestamptz NOT NULL DEFAULT now()
);
