-- Every imported account whose email or phone another account has too: which of them, the key of its root, the value.
WITH held AS (
    SELECT a.account_id, c.field, c.value FROM {accounts} a
    CROSS JOIN LATERAL (VALUES ('email', a.email), ('phone', a.phone), ('sms_phone', a.details ->> 'sms_phone'))
        AS c (field, value)
    WHERE c.value IS NOT NULL
), shared AS (
    SELECT field, value FROM held GROUP BY field, value HAVING count(*) > 1
)
SELECT h.field, min(l.bundle), h.value
FROM held h
JOIN shared USING (field, value)
JOIN {legacy_ids} l ON l.became = h.account_id AND l.system = %(system)s
    AND (%(roots)s::text[] IS NULL OR l.bundle = ANY(%(roots)s::text[]))
GROUP BY h.field, h.value, h.account_id
ORDER BY 1, 3, 2
