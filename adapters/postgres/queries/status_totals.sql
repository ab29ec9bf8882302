-- For each status (null: undetermined) the cases that have it, the entries that ever had it, and the seconds spent in it.
-- Superseded entries never held and do not count; an open one counts up to now.
SELECT
    found.status,
    sum(found.cases)::bigint AS cases_now,
    sum(found.entries)::bigint AS entries_ever,
    sum(found.seconds)::float8 AS total_s
FROM (
    SELECT c.status, count(*) AS cases, 0 AS entries, 0 AS seconds FROM {cases} AS c GROUP BY c.status
    UNION ALL
    SELECT
        h.status, 0, count(*),
        sum(coalesce(h.duration_s, greatest(extract(epoch FROM %(now)s::timestamptz - h.active_from), 0)))
    FROM {status_history} AS h
    WHERE h.owner_kind = 'case' AND NOT h.superseded
    GROUP BY h.status
) AS found
GROUP BY found.status
