-- The read model `legacy_ids` (projections/legacy_ids.py). Run with search_path set to the model's own schema.
CREATE TABLE legacy_ids (
    snapshot_id     uuid             NOT NULL,  -- the stream of the record's snapshots
    system          text             NOT NULL,
    table_name      text             NOT NULL,
    key             text COLLATE "C" NOT NULL,
    bundle          text COLLATE "C" NOT NULL,  -- key of the root record
    parent_key      text COLLATE "C",
    created         timestamptz,                -- the row's own times
    updated         timestamptz,
    platform_created timestamptz,               -- as a document store has it, beside the application's own
    became          uuid,                       -- the stream its content went to
    became_version  int,                        -- the event there, where the stream holds a row for each of several
    dangling        text[]           NOT NULL,  -- fields that referred to nothing when it was recorded
    foreign_fields  text[]           NOT NULL,  -- and to records of another bundle
    digest          text,                       -- null: of an erased person
    mapping_version int              NOT NULL,
    run_id          text             NOT NULL,  -- the run that recorded the newest snapshot
    version         bigint           NOT NULL CHECK (version >= 1),
    position        bigint           NOT NULL,
    recorded_at     timestamptz      NOT NULL
);
-- indexes
ALTER TABLE legacy_ids ADD PRIMARY KEY (snapshot_id);
ALTER TABLE legacy_ids ADD UNIQUE (system, table_name, key);
CREATE INDEX legacy_ids_bundle ON legacy_ids (system, bundle);
CREATE INDEX legacy_ids_became ON legacy_ids (became);
-- readers
ALTER TABLE legacy_ids ENABLE ROW LEVEL SECURITY;
CREATE POLICY readers ON legacy_ids FOR SELECT
    USING ((SELECT reader.sees_all()));
