-- A rebuild under way, beside the positions of its shadow tables. Run with search_path set to their schema.
CREATE TABLE rebuild (
    head       bigint      NOT NULL,           -- the parts go up to here; what came later is caught up
    stage      text        NOT NULL,
    aborted    boolean     NOT NULL DEFAULT false,
    trouble    text,                           -- why it could not go on, where it said so
    models     jsonb       NOT NULL,           -- name -> version
    started_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
-- Ranges of streams. Whoever fills one holds its row, so that one which was killed gives it back.
CREATE TABLE parts (
    number   int  PRIMARY KEY,
    first    uuid NOT NULL,
    last     uuid NOT NULL,
    events   int,                              -- null: to be done
    begun_at timestamptz,
    done_at  timestamptz
);
