-- The status history of a case or profile, in the order in which the statuses took effect.
SELECT {columns} FROM {status_history} AS h
WHERE h.owner_id = %(owner)s
ORDER BY h.active_from, h.place, h.entry
