-- The companies an account is a current member of.
SELECT DISTINCT m.company_id FROM {company_members} AS m
WHERE m.account_id = %(account)s AND m.is_current
