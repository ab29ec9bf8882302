-- What the report of a migration of decks counts: rows of this system in the tables, and rows that break a promise.
WITH imported AS (
    SELECT DISTINCT became FROM {legacy_ids} WHERE system = %(system)s AND became IS NOT NULL
        AND (%(roots)s::text[] IS NULL OR bundle = ANY(%(roots)s::text[]))
)
SELECT
    (SELECT count(*) FROM {accounts} a JOIN imported ON became = a.account_id) AS accounts,
    (SELECT count(*) FROM {profiles} p JOIN imported ON became = p.account_id
        WHERE p.origin <> 'live' AND p.kind = 'deck') AS profiles,
    (SELECT count(*) FROM {billing_accounts} b JOIN imported ON became = b.account_id) AS billing,
    (SELECT count(*) FROM imported WHERE 1 <> (SELECT count(*) FROM {profiles} p
        WHERE p.account_id = became AND p.kind = 'deck' AND p.origin <> 'live')) AS not_one_profile,
    (SELECT count(*) FROM {profiles} p
        WHERE NOT EXISTS (SELECT FROM {accounts} a WHERE a.account_id = p.account_id))
    + (SELECT count(*) FROM {billing_accounts} b
        WHERE NOT EXISTS (SELECT FROM {accounts} a WHERE a.account_id = b.account_id)) AS orphans,
    (SELECT count(*) FROM {profiles} p WHERE p.completeness NOT BETWEEN 0 AND 100) AS scores_outside
