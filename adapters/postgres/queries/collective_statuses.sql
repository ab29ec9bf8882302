-- How many cases of a collective process have which status.
SELECT c.status, count(*) AS cases FROM {cases} AS c
WHERE c.collective_id = %(collective)s
GROUP BY c.status
ORDER BY cases DESC, c.status NULLS LAST
