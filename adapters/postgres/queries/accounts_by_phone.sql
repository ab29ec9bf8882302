-- Every account with exactly this phone.
SELECT account_id FROM {accounts} WHERE phone = %(value)s ORDER BY registered_at, account_id
