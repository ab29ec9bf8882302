-- A page of the profiles of a kind that a search finds, the best first; of equal ones the lesser id.
SELECT {columns}, found.rank::float8
FROM (
    SELECT p.profile_id, ts_rank(p.search, query) AS rank
    FROM websearch_to_tsquery('simple', %(text)s) AS query, {profiles} AS p
    WHERE p.search @@ query AND p.kind = %(kind)s AND NOT p.archived
        AND (%(own)s::uuid IS NULL OR p.account_id = %(own)s::uuid)
) AS found JOIN {profiles} AS p USING (profile_id)
WHERE %(after)s::uuid IS NULL
    OR found.rank < %(rank)s::real OR (found.rank = %(rank)s::real AND p.profile_id > %(after)s::uuid)
ORDER BY found.rank DESC, p.profile_id
LIMIT %(limit)s
