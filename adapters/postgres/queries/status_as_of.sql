-- The entry of a status history that was in force at a time, as it is known now.
SELECT {columns} FROM {status_history} AS h
WHERE h.owner_id = %(owner)s AND NOT h.superseded AND h.active_from <= %(at)s
ORDER BY h.active_from DESC, h.place DESC
LIMIT 1
