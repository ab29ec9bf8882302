-- A page of all cases.
SELECT {columns} FROM {cases} AS c
WHERE true {filters}
ORDER BY c.case_id
LIMIT %(limit)s
