-- Every account with an email, whatever its case; the condition is that of the index.
SELECT account_id FROM {accounts} WHERE lower(email) = lower(%(value)s) ORDER BY registered_at, account_id
