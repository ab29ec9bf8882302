-- The read model `cases` (projections/cases.py). Run with search_path set to the model's own schema.
CREATE TABLE cases (
    case_id       uuid        NOT NULL,
    person_id     uuid,
    company_id    uuid,                    -- null for a case of a collective process, which has a company of its own
    collective_id uuid,
    legacy_keys   jsonb       NOT NULL CHECK (jsonb_typeof(legacy_keys) = 'object'),
    fields        jsonb       NOT NULL CHECK (jsonb_typeof(fields) = 'object'),
    status        text,                    -- the one in force; null: undetermined
    status_entry  int,                     -- its entry in `status_history`
    status_since  timestamptz,             -- when it took effect
    status_day    date,                    -- the day of that, in São Paulo
    delivery_date date,                    -- deadlines of the status in force, if it has any
    client_date   date,
    due_on        date,                    -- the earliest of delivery_date and fields.deadline_date; null once closed
    instants      jsonb       NOT NULL CHECK (jsonb_typeof(instants) = 'object'),    -- of fields that hold a time
    is_current    boolean     NOT NULL,
    completed_at  timestamptz,
    conflicts     jsonb       NOT NULL CHECK (jsonb_typeof(conflicts) = 'object'),   -- open ones: field -> values
    created_at    timestamptz NOT NULL,    -- occurred
    updated_at    timestamptz NOT NULL,    -- occurred, of the last event
    origin        text        NOT NULL,    -- of the event that opened it: live, or the import run
    version       bigint      NOT NULL CHECK (version >= 1),
    position      bigint      NOT NULL,
    recorded_at   timestamptz NOT NULL,    -- of the last event
    CHECK (num_nonnulls(status, status_entry, status_since, status_day) IN (0, 4)),
    CHECK (num_nonnulls(delivery_date, client_date) IN (0, 2)),
    CHECK (is_current OR due_on IS NULL)
);
-- indexes
ALTER TABLE cases ADD PRIMARY KEY (case_id);
-- Hash: a legacy status can be any text, and a btree refuses one beyond 2.7 kB. A page of a frequent status is read off
-- one of the others in the order of the ids, of a rare one it is sorted: about a millisecond each of 100,000 cases.
CREATE INDEX cases_status ON cases USING hash (status);
CREATE INDEX cases_undetermined ON cases (case_id) WHERE status IS NULL;
CREATE INDEX cases_company ON cases (company_id, case_id);
CREATE INDEX cases_collective ON cases (collective_id, case_id);
CREATE INDEX cases_person ON cases (person_id, case_id);
CREATE INDEX cases_due ON cases (due_on, case_id) WHERE is_current AND due_on IS NOT NULL;
CREATE INDEX cases_status_since ON cases (status_since, case_id);
-- readers
ALTER TABLE cases ENABLE ROW LEVEL SECURITY;
CREATE POLICY readers ON cases FOR SELECT
    USING ((SELECT reader.sees_all()) OR reader.is_theirs(
        person_id, company_id, collective_id,
        (SELECT reader.account()), (SELECT reader.companies()), (SELECT reader.collectives())
    ));
