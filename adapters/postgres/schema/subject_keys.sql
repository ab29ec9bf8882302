-- The keys that seal personal values, one a subject. Run with search_path set to the store's schema.

-- `wrapped` is the subject's key under the master key; null once the person was erased: there is no key any more, and
-- the row that stays keeps anybody from making a new one.
CREATE TABLE IF NOT EXISTS subject_keys (
    subject   uuid        PRIMARY KEY,
    wrapped   bytea,
    made_at   timestamptz NOT NULL DEFAULT now(),
    erased_at timestamptz,
    CHECK ((wrapped IS NULL) = (erased_at IS NOT NULL))
);

-- One row: how many erasures there were. Read together with events, it tells a process that a key it holds may be gone.
CREATE TABLE IF NOT EXISTS key_epoch (erasures bigint NOT NULL);
INSERT INTO key_epoch SELECT 0 WHERE NOT EXISTS (SELECT FROM key_epoch);

-- An erased key does not come back.
CREATE OR REPLACE FUNCTION refuse_return() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the key of an erased person does not come back' USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE OR REPLACE TRIGGER erased_for_good BEFORE UPDATE ON subject_keys
    FOR EACH ROW WHEN (OLD.wrapped IS NULL AND NEW.wrapped IS NOT NULL) EXECUTE FUNCTION refuse_return();
CREATE OR REPLACE TRIGGER rows_stay BEFORE DELETE OR TRUNCATE ON subject_keys
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Whoever appends account.erased, by whatever way, deletes the key in the same transaction.
CREATE OR REPLACE FUNCTION erase_key() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO subject_keys (subject, wrapped, erased_at) VALUES (NEW.originator_id, NULL, now())
        ON CONFLICT (subject) DO UPDATE SET wrapped = NULL, erased_at = now() WHERE subject_keys.wrapped IS NOT NULL;
    UPDATE key_epoch SET erasures = erasures + 1;
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER erases_the_key AFTER INSERT ON stored_events
    FOR EACH ROW WHEN (NEW.topic = 'account.erased') EXECUTE FUNCTION erase_key();

-- Which streams hold something about whom. It is brought up to the log when it is asked, and so costs no append anything.
CREATE TABLE IF NOT EXISTS subject_streams (
    subject uuid NOT NULL,
    stream  uuid NOT NULL,
    PRIMARY KEY (subject, stream)
);
CREATE TABLE IF NOT EXISTS subject_streams_position (position bigint NOT NULL);
INSERT INTO subject_streams_position SELECT 0 WHERE NOT EXISTS (SELECT FROM subject_streams_position);
