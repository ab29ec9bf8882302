-- The read model `status_history` (projections/status_history.py). Run with search_path set to the model's own schema.
CREATE TABLE status_history (
    owner_id      uuid        NOT NULL,
    entry         int         NOT NULL CHECK (entry >= 1),    -- the version of the event that made it
    place         int         NOT NULL,    -- among entries that begin at one time: its number, or that of the entry it
                                           -- superseded
    owner_kind    text        NOT NULL CHECK (owner_kind IN ('case', 'profile', 'subscription')),
    status        text,                    -- null: nobody knows it
    previous      text,                    -- the status of the entry before
    active_from   timestamptz NOT NULL,
    active_to     timestamptz,             -- where the next entry begins; a superseded one keeps what it had
    is_active     boolean     NOT NULL,
    changed_by    text        NOT NULL,
    notes         text,
    reason        text,                    -- why this entry took the place of another
    superseded    boolean     NOT NULL,
    superseded_by int,                     -- the entry that took its place
    day           date,                    -- on which it took effect, in São Paulo
    date_text     text,                    -- the date as a legacy record wrote it, what point in time it names,
    date_at       timestamptz,             -- and the zone that was assumed for it
    date_zone     text,
    delivery_date date,
    client_date   date,
    filled        jsonb       NOT NULL CHECK (jsonb_typeof(filled) = 'object'),
    carried       jsonb       NOT NULL CHECK (jsonb_typeof(carried) = 'object'),
    duration_s    double precision,        -- null while it lasts, and of one superseded
    updated_at    timestamptz NOT NULL,    -- occurred, of the last event
    origin        text        NOT NULL,    -- of the event that made it: live, or the import run
    version       bigint      NOT NULL CHECK (version >= entry),
    position      bigint      NOT NULL,
    recorded_at   timestamptz NOT NULL,    -- of the last event
    CHECK (active_to >= active_from),
    CHECK (NOT is_active OR (active_to IS NULL AND NOT superseded AND status IS NOT NULL)),
    CHECK (superseded = (superseded_by IS NOT NULL)),
    CHECK ((duration_s IS NULL) = (active_to IS NULL OR superseded)),
    CHECK (num_nonnulls(delivery_date, client_date) IN (0, 2))
);
-- One active status or none. Deferred: rows are replaced one by one, and the promise is that of the transaction.
-- Above the indexes, so that a rebuild, too, finds the record that breaks it.
ALTER TABLE status_history ADD CONSTRAINT status_history_one_active
    EXCLUDE USING btree (owner_id WITH =) WHERE (is_active) DEFERRABLE INITIALLY DEFERRED;
-- indexes
ALTER TABLE status_history ADD PRIMARY KEY (owner_id, entry);
-- The timeline of an owner in order, and what was in force at a time: that which began by then and had not ended.
CREATE INDEX status_history_timeline ON status_history (owner_id, active_from, place);
-- None on status: the time in each is a matter of all rows, and a legacy status can be any text, too long for a btree.
-- readers
ALTER TABLE status_history ENABLE ROW LEVEL SECURITY;
CREATE POLICY readers ON status_history FOR SELECT
    USING ((SELECT reader.sees_all()) OR reader.reads_owner(owner_kind, owner_id));
