-- A page of the status history of a case or profile, in the order in which the statuses took effect.
SELECT {columns} FROM {status_history} AS h
WHERE h.owner_id = %(owner)s
    AND (
        %(entry)s::int IS NULL
        OR (h.active_from, h.place, h.entry) > (%(active_from)s::timestamptz, %(place)s::int, %(entry)s::int)
    )
ORDER BY h.active_from, h.place, h.entry
LIMIT %(limit)s
