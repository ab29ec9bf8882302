-- What the report of a migration of caregivers counts: rows of this system in the tables, and rows that break a promise.
WITH imported AS (
    SELECT DISTINCT became AS account_id FROM {legacy_ids}
    WHERE system = %(system)s AND table_name = 'users' AND became IS NOT NULL
        AND (%(roots)s::text[] IS NULL OR bundle = ANY(%(roots)s::text[]))
)
SELECT
    (SELECT count(*) FROM {accounts} JOIN imported USING (account_id)) AS accounts,
    (SELECT count(*) FROM {profiles} p JOIN imported USING (account_id) WHERE p.origin <> 'live') AS profiles,
    (SELECT count(*) FROM {conversations} v JOIN imported USING (account_id) WHERE v.origin <> 'live') AS conversations,
    (SELECT count(*) FROM {messages} m JOIN {conversations} v USING (conversation_id) JOIN imported USING (account_id)
        WHERE m.origin <> 'live') AS messages,
    (SELECT count(*) FROM {billing_accounts} b JOIN imported USING (account_id)
        WHERE b.origin <> 'live') AS billing_accounts,
    (SELECT count(*) FROM {profiles} p WHERE NOT EXISTS (SELECT FROM {accounts} a WHERE a.account_id = p.account_id))
    + (SELECT count(*) FROM {conversations} v
        WHERE NOT EXISTS (SELECT FROM {accounts} a WHERE a.account_id = v.account_id))
    + (SELECT count(*) FROM {billing_accounts} b
        WHERE NOT EXISTS (SELECT FROM {accounts} a WHERE a.account_id = b.account_id)) AS orphans,
    (SELECT count(*) FROM (SELECT FROM {profiles} p JOIN imported USING (account_id) WHERE p.origin <> 'live'
        GROUP BY p.account_id, p.kind HAVING count(*) > 1) d)
    + (SELECT count(*) FROM (SELECT FROM {conversations} v JOIN imported USING (account_id) WHERE v.origin <> 'live'
        GROUP BY v.account_id HAVING count(*) > 1) d) AS duplicate_keys,
    (SELECT count(*) FROM {profiles} p WHERE p.completeness NOT BETWEEN 0 AND 100) AS scores_outside
