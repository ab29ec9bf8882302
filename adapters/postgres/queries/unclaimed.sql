-- Imported rows that no legacy record leads to, or whose owner is not there: read model, and key as an array of text.
SELECT 'accounts' AS model, ARRAY[account_id::text] AS key FROM {accounts} WHERE origin <> 'live'
    AND NOT EXISTS (SELECT FROM {legacy_ids} WHERE became = account_id)
UNION ALL SELECT 'profiles', ARRAY[profile_id::text] FROM {profiles} p WHERE origin <> 'live'
    AND NOT EXISTS (SELECT FROM {accounts} a WHERE a.account_id = p.account_id)
UNION ALL SELECT 'intents', ARRAY[intent_id::text] FROM {intents} i WHERE origin <> 'live'
    AND NOT EXISTS (SELECT FROM {accounts} a WHERE a.account_id = i.account_id)
UNION ALL SELECT 'items', ARRAY[item_id::text] FROM {items} i WHERE origin <> 'live'
    AND NOT EXISTS (SELECT FROM {accounts} a WHERE a.account_id = i.account_id)
UNION ALL SELECT 'conversations', ARRAY[conversation_id::text] FROM {conversations} v WHERE origin <> 'live'
    AND NOT EXISTS (SELECT FROM {accounts} a WHERE a.account_id = v.account_id)
UNION ALL SELECT 'messages', ARRAY[conversation_id::text, number::text] FROM {messages} m WHERE origin <> 'live'
    AND NOT EXISTS (SELECT FROM {conversations} v WHERE v.conversation_id = m.conversation_id)
UNION ALL SELECT 'billing_accounts', ARRAY[billing_id::text] FROM {billing_accounts} b WHERE origin <> 'live'
    AND NOT EXISTS (SELECT FROM {accounts} a WHERE a.account_id = b.account_id)
UNION ALL SELECT 'cases', ARRAY[case_id::text] FROM {cases} WHERE origin <> 'live'
    AND NOT EXISTS (SELECT FROM {legacy_ids} WHERE became = case_id)
UNION ALL SELECT 'collectives', ARRAY[collective_id::text] FROM {collectives} WHERE origin <> 'live'
    AND NOT EXISTS (SELECT FROM {legacy_ids} WHERE became = collective_id)
UNION ALL SELECT 'companies', ARRAY[company_id::text] FROM {companies} WHERE origin <> 'live'
    AND NOT EXISTS (SELECT FROM {legacy_ids} WHERE became = company_id)
UNION ALL SELECT 'statuses', ARRAY[status_id::text] FROM {statuses} WHERE origin <> 'live'
    AND NOT EXISTS (SELECT FROM {legacy_ids} WHERE became = status_id)
UNION ALL SELECT 'company_members', ARRAY[company_id::text, member::text] FROM {company_members} m WHERE origin <> 'live'
    AND NOT EXISTS (SELECT FROM {companies} c WHERE c.company_id = m.company_id)
UNION ALL SELECT 'status_history', ARRAY[owner_id::text, entry::text] FROM {status_history} WHERE origin <> 'live'
    AND NOT EXISTS (SELECT FROM {cases} WHERE case_id = owner_id)
    AND NOT EXISTS (SELECT FROM {profiles} WHERE profile_id = owner_id)
    AND NOT EXISTS (SELECT FROM {billing_accounts} WHERE billing_id = owner_id)
