-- What the report of a migration of cases counts: this system's cases in the tables, and what breaks a promise.
WITH imported AS (
    SELECT c.case_id, c.status, c.status_entry
    FROM {legacy_ids} l JOIN {cases} c ON c.case_id = l.became
    WHERE l.system = %(system)s AND l.table_name = 'individualProcesses'
        AND (%(roots)s::text[] IS NULL OR l.bundle = ANY(%(roots)s::text[]))
), entries AS (
    SELECT h.* FROM {status_history} h JOIN imported ON case_id = owner_id
), active AS (
    SELECT owner_id, count(*) AS entries, min(entry) AS entry, min(status) AS status FROM entries WHERE is_active GROUP BY owner_id
)
SELECT
    (SELECT count(*) FROM imported) AS cases,
    (SELECT count(*) FROM entries) AS entries,
    (SELECT count(*) FROM imported WHERE status IS NULL) AS undetermined,
    (SELECT count(*) FROM imported WHERE NOT EXISTS (SELECT FROM entries WHERE owner_id = case_id)) AS without_history,
    (SELECT count(*) FROM imported LEFT JOIN active ON owner_id = case_id
        WHERE active.entries > 1 OR (imported.status, imported.status_entry) IS DISTINCT FROM (active.status, active.entry)) AS not_one_status,
    (SELECT count(*) FROM entries WHERE changed_by = 'legacy-unknown' AND status IS NOT NULL) AS unknown_authors,
    (SELECT coalesce(jsonb_object_agg(name, number ORDER BY number DESC), '{{}}')
        FROM (SELECT coalesce(status, 'undetermined') AS name, count(*) AS number FROM imported GROUP BY 1) s) AS by_status
