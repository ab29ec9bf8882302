-- An account, and its active profile where it has one.
SELECT {columns}, {profile_columns}
FROM {accounts} AS a LEFT JOIN {profiles} AS p ON p.profile_id = a.active_profile_id
WHERE a.account_id = %(account)s
    AND (%(own)s::uuid IS NULL OR a.account_id = %(own)s::uuid)
