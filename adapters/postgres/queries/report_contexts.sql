-- What the report of a migration of contexts counts: rows of this system in the tables, and rows that break a promise.
WITH imported AS (
    SELECT DISTINCT became FROM {legacy_ids} WHERE system = %(system)s AND became IS NOT NULL
        AND (%(roots)s::text[] IS NULL OR bundle = ANY(%(roots)s::text[]))
)
SELECT
    (SELECT count(*) FROM {profiles} p JOIN imported ON became = p.account_id WHERE p.origin <> 'live') AS profiles,
    (SELECT count(*) FROM {intents} i JOIN imported ON became = i.intent_id) AS intents,
    (SELECT count(*) FROM {conversations} v JOIN imported ON became = v.conversation_id) AS conversations,
    (SELECT count(*) FROM {messages} m JOIN imported ON became = m.conversation_id WHERE m.origin <> 'live') AS messages,
    (SELECT count(*) FROM {profiles} p
        WHERE NOT EXISTS (SELECT FROM {accounts} a WHERE a.account_id = p.account_id))
    + (SELECT count(*) FROM {intents} i
        WHERE NOT EXISTS (SELECT FROM {accounts} a WHERE a.account_id = i.account_id)) AS orphans,
    (SELECT count(*) FROM (SELECT FROM {profiles} p JOIN imported ON became = p.account_id
        WHERE p.origin <> 'live' GROUP BY p.account_id, p.kind HAVING count(*) > 1) d)
    + (SELECT count(*) FROM (SELECT FROM {intents} i
        GROUP BY i.account_id, i.context HAVING count(*) > 1) d) AS duplicate_keys,
    (SELECT count(*) FROM {profiles} p WHERE p.completeness NOT BETWEEN 0 AND 100)
    + (SELECT count(*) FROM {intents} i WHERE i.completeness NOT BETWEEN 0 AND 100) AS scores_outside
