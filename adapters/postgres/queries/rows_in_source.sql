-- How many rows of a legacy table the newest source of a system held.
SELECT coalesce((r.tables ->> %(table)s)::bigint, 0) AS found FROM {migration_runs} AS r
WHERE r.system = %(system)s
ORDER BY r.started_at DESC, r.position DESC
LIMIT 1
