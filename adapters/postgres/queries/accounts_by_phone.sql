-- Every account with exactly this phone, to sign in with or for SMS.
SELECT account_id FROM {accounts} WHERE phone = %(value)s OR details ->> 'sms_phone' = %(value)s
ORDER BY registered_at, account_id
