-- The read model `migration_runs` (projections/migration_runs.py). Run with search_path set to the model's own schema.
CREATE TABLE migration_runs (
    run_id          uuid        NOT NULL,
    system          text        NOT NULL,
    mapping_version int         NOT NULL,
    source_kind     text        NOT NULL,
    tables          jsonb       NOT NULL CHECK (jsonb_typeof(tables) = 'object'),   -- rows in the source by table
    started_at      timestamptz NOT NULL,       -- occurred
    completed_at    timestamptz,                -- null, as are the counts, until the run is through
    recorded        bigint,
    unchanged       bigint,
    quarantined     bigint,
    events          bigint,
    position        bigint      NOT NULL,
    recorded_at     timestamptz NOT NULL,       -- of the last event
    CHECK (num_nonnulls(completed_at, recorded, unchanged, quarantined, events) IN (0, 5))
);
-- indexes
ALTER TABLE migration_runs ADD PRIMARY KEY (run_id);
CREATE INDEX migration_runs_system ON migration_runs (system, started_at);
-- readers
ALTER TABLE migration_runs ENABLE ROW LEVEL SECURITY;
CREATE POLICY readers ON migration_runs FOR SELECT
    USING ((SELECT reader.sees_all()));
