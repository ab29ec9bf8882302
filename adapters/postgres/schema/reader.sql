-- Who reads, for the row-level security of the read models. Run once a database; the schema's name is fixed.
-- A connection of the role `dossier_reader` says who it is by a secret, `dossier.session`, that was given out for an
-- account (or for the operator, who has none) and lasts a while. Without one it sees nothing.
CREATE SCHEMA IF NOT EXISTS reader;

CREATE TABLE IF NOT EXISTS reader.sessions (
    secret_hash bytea       PRIMARY KEY,          -- SHA-256: the secret itself is stored nowhere
    account_id  uuid,                             -- null: the operator
    expires_at  timestamptz NOT NULL
);

-- The functions look tables up by name whenever they run, so that a swapped read model is found again. They are VOLATILE,
-- so that they look with a snapshot of their own: in that of a statement begun before the swap the new tables are empty.
-- No index serves what is volatile, hence `(SELECT reader.account())`, which is asked once. They run as the owner of the
-- tables, over whom row-level security has no power.
CREATE OR REPLACE FUNCTION reader.account() RETURNS uuid
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (
        SELECT a.account_id FROM reader.sessions s JOIN accounts.accounts a USING (account_id)
        WHERE s.secret_hash = sha256(convert_to(current_setting('dossier.session', true), 'UTF8'))
            AND s.expires_at > now() AND a.status = 'active'
    );
END $$;

-- Whether every record is open: to the operator, and to an account that is an admin now.
CREATE OR REPLACE FUNCTION reader.sees_all() RETURNS boolean
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN EXISTS (
        SELECT FROM reader.sessions s LEFT JOIN accounts.accounts a USING (account_id)
        WHERE s.secret_hash = sha256(convert_to(current_setting('dossier.session', true), 'UTF8'))
            AND s.expires_at > now()
            AND (s.account_id IS NULL OR (a.status = 'active' AND 'admin' = ANY (a.roles)))
    );
END $$;

-- The companies the account is a current member of.
CREATE OR REPLACE FUNCTION reader.companies() RETURNS uuid[]
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN ARRAY (
        SELECT DISTINCT m.company_id FROM company_members.company_members m
        WHERE m.account_id = (SELECT reader.account()) AND m.is_current
    );
END $$;

-- The collective processes of those companies.
CREATE OR REPLACE FUNCTION reader.collectives() RETURNS uuid[]
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN ARRAY (
        SELECT c.collective_id FROM collectives.collectives c
        WHERE c.company_id = ANY ((SELECT reader.companies())::uuid[])
    );
END $$;

-- Whether a case is about the account, or of a company it belongs to, straight or through a collective process. Given what
-- is theirs, which is asked once a statement: it becomes a part of the statement, and is no call for each row.
CREATE OR REPLACE FUNCTION reader.is_theirs(
    person uuid, company uuid, collective uuid, account uuid, companies uuid[], collectives uuid[]
) RETURNS boolean LANGUAGE sql IMMUTABLE
    RETURN person = account
        OR CASE WHEN collective IS NULL THEN company = ANY (companies) ELSE collective = ANY (collectives) END;

-- Whether the status history of an owner is of something the account reads.
CREATE OR REPLACE FUNCTION reader.reads_owner(kind text, owner uuid) RETURNS boolean
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF kind = 'case' THEN
        RETURN EXISTS (
            SELECT FROM cases.cases c
            WHERE c.case_id = owner AND reader.is_theirs(
                c.person_id, c.company_id, c.collective_id,
                (SELECT reader.account()), (SELECT reader.companies()), (SELECT reader.collectives())
            )
        );
    ELSIF kind = 'profile' THEN
        RETURN EXISTS (
            SELECT FROM profiles.profiles p WHERE p.profile_id = owner AND p.account_id = (SELECT reader.account())
        );
    ELSIF kind = 'subscription' THEN
        RETURN EXISTS (
            SELECT FROM billing_accounts.billing_accounts b
            WHERE b.billing_id = owner AND b.account_id = (SELECT reader.account())
        );
    END IF;
    RETURN false;
END $$;

-- Whether a conversation is the account's own.
CREATE OR REPLACE FUNCTION reader.reads_conversation(conversation uuid) RETURNS boolean
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN EXISTS (
        SELECT FROM conversations.conversations c
        WHERE c.conversation_id = conversation AND c.account_id = (SELECT reader.account())
    );
END $$;
