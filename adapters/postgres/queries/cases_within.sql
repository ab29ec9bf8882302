-- A page of the cases of some companies and of one person. A case in a collective process is of that one's company.
-- Each company, collective process and person brings at most a page, in order, from an index of its own; a case that two
-- of them bring is listed once.
WITH page AS (
    SELECT found.case_id
    FROM unnest(%(companies)s::uuid[]) AS company (company_id)
    CROSS JOIN LATERAL (
        SELECT c.case_id FROM {cases} AS c
        WHERE c.company_id = company.company_id AND c.collective_id IS NULL {filters}
        ORDER BY c.case_id LIMIT %(limit)s
    ) AS found
    UNION
    SELECT found.case_id
    FROM {collectives} AS process
    CROSS JOIN LATERAL (
        SELECT c.case_id FROM {cases} AS c
        WHERE c.collective_id = process.collective_id {filters}
        ORDER BY c.case_id LIMIT %(limit)s
    ) AS found
    WHERE process.company_id = ANY (%(companies)s::uuid[])
    UNION
    (
        SELECT c.case_id FROM {cases} AS c
        WHERE %(person)s::uuid IS NOT NULL AND c.person_id = %(person)s::uuid {filters}
        ORDER BY c.case_id LIMIT %(limit)s
    )
    ORDER BY case_id LIMIT %(limit)s
)
SELECT {columns} FROM page JOIN {cases} AS c USING (case_id)
ORDER BY c.case_id
