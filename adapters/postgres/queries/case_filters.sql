-- What a listing may be narrowed to. A parameter that is null (false for undetermined) leaves its line out of the plan:
-- the statements are planned with their values, never once for all.
    AND (%(after)s::uuid IS NULL OR c.case_id > %(after)s::uuid)
    AND (%(status)s::text IS NULL OR c.status = %(status)s::text)
    AND (NOT %(undetermined)s::boolean OR c.status IS NULL)
    AND (%(collective)s::uuid IS NULL OR c.collective_id = %(collective)s::uuid)
    AND (%(due_before)s::date IS NULL OR (c.is_current AND c.due_on < %(due_before)s::date))
    AND (%(since)s::timestamptz IS NULL OR c.status_since >= %(since)s::timestamptz)
    AND (%(is_current)s::boolean IS NULL OR c.is_current = %(is_current)s::boolean)
