-- A page of the profiles of a kind, in the order of their ids. A parameter that is null leaves its line out of the plan:
-- the statement is planned with its values.
SELECT {columns} FROM {profiles} AS p
WHERE p.kind = %(kind)s
    AND (%(own)s::uuid IS NULL OR p.account_id = %(own)s::uuid)
    AND (%(after)s::uuid IS NULL OR p.profile_id > %(after)s::uuid)
    AND (%(fields)s::jsonb IS NULL OR p.fields @> %(fields)s::jsonb)
    AND (%(verification)s::text IS NULL OR p.verification = %(verification)s::text)
    AND (%(at_least)s::int IS NULL OR p.completeness >= %(at_least)s::int)
    AND (%(archived)s::boolean IS NULL OR p.archived = %(archived)s::boolean)
ORDER BY p.profile_id
LIMIT %(limit)s
