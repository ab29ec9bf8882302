-- What the report of a migration of talent counts: rows of this system in the tables, and rows that break a promise.
WITH imported AS (
    SELECT DISTINCT became, table_name FROM {legacy_ids} WHERE system = %(system)s AND became IS NOT NULL
        AND (%(roots)s::text[] IS NULL OR bundle = ANY(%(roots)s::text[]))
), people AS (
    SELECT a.* FROM {accounts} a JOIN imported ON became = account_id AND table_name = 'users'
), theirs AS (
    SELECT p.* FROM {profiles} p JOIN people USING (account_id)
), held AS (
    SELECT i.* FROM {items} i JOIN people USING (account_id) WHERE i.origin <> 'live'
)
SELECT
    (SELECT count(*) FROM people) AS accounts,
    (SELECT count(*) FROM held) AS items,
    (SELECT count(*) FROM people p WHERE p.details ->> 'profile_type' IN ('dancer', 'choreographer')
        AND NOT EXISTS (SELECT FROM theirs t WHERE t.account_id = p.account_id AND t.kind = p.details ->> 'profile_type')) AS without_profile,
    (SELECT count(*) FROM people p WHERE EXISTS (SELECT FROM theirs t WHERE t.account_id = p.account_id)
        AND (NOT EXISTS (SELECT FROM theirs t WHERE t.account_id = p.account_id AND t.profile_id = p.primary_profile_id)
        OR p.active_profile_id IS NOT NULL
        AND NOT EXISTS (SELECT FROM theirs t WHERE t.account_id = p.account_id AND t.profile_id = p.active_profile_id))) AS not_one_primary,
    (SELECT count(*) FROM {profiles} p WHERE NOT EXISTS (SELECT FROM {accounts} a WHERE a.account_id = p.account_id))
    + (SELECT count(*) FROM {items} i WHERE NOT EXISTS (SELECT FROM {accounts} a WHERE a.account_id = i.account_id)
        OR i.profile_id IS NOT NULL AND NOT EXISTS (SELECT FROM {profiles} p WHERE p.profile_id = i.profile_id)) AS orphans,
    (SELECT count(*) FROM theirs WHERE completeness NOT BETWEEN 0 AND 100) AS scores_outside,
    (SELECT coalesce(jsonb_object_agg(kind, number), '{{}}') FROM (SELECT kind, count(*) AS number FROM theirs GROUP BY 1) k) AS by_kind,
    (SELECT coalesce(jsonb_object_agg(kind, number), '{{}}') FROM (SELECT kind, count(*) AS number FROM held GROUP BY 1) k) AS by_item
