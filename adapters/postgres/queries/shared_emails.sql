-- Legacy key and email of every imported account whose email another account has too.
SELECT l.key, a.email
FROM {accounts} a
JOIN {legacy_ids} l ON l.became = a.account_id AND l.system = %(system)s
    AND (%(roots)s::text[] IS NULL OR l.bundle = ANY(%(roots)s::text[]))
WHERE a.email IN (SELECT email FROM {accounts} WHERE email IS NOT NULL GROUP BY email HAVING count(*) > 1)
ORDER BY a.email, l.key
