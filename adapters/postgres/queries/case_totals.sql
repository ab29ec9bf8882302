-- How all cases stand.
SELECT
    count(*) AS total,
    count(*) FILTER (WHERE c.origin <> 'live') AS migrated,
    count(*) FILTER (WHERE c.status IS NULL) AS undetermined,
    count(*) FILTER (WHERE NOT c.is_current) AS closed,
    count(*) FILTER (WHERE c.is_current AND c.due_on < %(today)s) AS overdue
FROM {cases} AS c
