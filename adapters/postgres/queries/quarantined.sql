-- The legacy records that were set aside and not taken in since, and why.
SELECT q.table_name AS "table", q.key AS id, q.code, q.reason FROM {quarantine} AS q
WHERE q.system = %(system)s AND q.key IS NOT NULL
  AND NOT EXISTS (SELECT FROM {legacy_ids} AS l WHERE l.system = q.system AND l.table_name = q.table_name AND l.key = q.key)
ORDER BY q.table_name, q.key, q.code
