-- A page of the profiles of an account, the oldest first.
SELECT {columns} FROM {profiles} AS p
WHERE p.account_id = %(account)s
    AND (%(own)s::uuid IS NULL OR p.account_id = %(own)s::uuid)
    AND (
        %(after)s::uuid IS NULL
        OR (p.created_at, p.profile_id) > (%(created_at)s::timestamptz, %(after)s::uuid)
    )
ORDER BY p.created_at, p.profile_id
LIMIT %(limit)s
