-- A page of the intents in a context, in the order of their ids.
SELECT {columns} FROM {intents} AS i
WHERE i.context = %(context)s AND i.status = %(status)s
    AND (%(own)s::uuid IS NULL OR i.account_id = %(own)s::uuid)
    AND (%(after)s::uuid IS NULL OR i.intent_id > %(after)s::uuid)
    AND (%(fields)s::jsonb IS NULL OR i.fields @> %(fields)s::jsonb)
ORDER BY i.intent_id
LIMIT %(limit)s
