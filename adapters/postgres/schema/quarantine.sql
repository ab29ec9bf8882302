-- The read model `quarantine` (projections/quarantine.py). Run with search_path set to the model's own schema.
CREATE TABLE quarantine (
    quarantine_id uuid             NOT NULL,  -- the stream: one for a record and what is wrong with it
    system        text             NOT NULL,
    table_name    text             NOT NULL,
    key           text COLLATE "C",           -- null where the record has none that can be read
    code          text             NOT NULL,
    reason        text             NOT NULL,
    run_id        text             NOT NULL,  -- the run that set its newest form aside
    version       bigint           NOT NULL CHECK (version >= 1),
    position      bigint           NOT NULL,
    recorded_at   timestamptz      NOT NULL
);
-- indexes
ALTER TABLE quarantine ADD PRIMARY KEY (quarantine_id);
CREATE INDEX quarantine_system ON quarantine (system);

-- readers
ALTER TABLE quarantine ENABLE ROW LEVEL SECURITY;
CREATE POLICY readers ON quarantine FOR SELECT
    USING ((SELECT reader.sees_all()));
