-- The event store. `stored_events` itself is made by the eventsourcing library's recorder, other tables by the numbered
-- migrations; this file adds what guards them and what appends to them, and is run whole by each release that changes it.
-- Run with search_path set to the store's schema.

-- Takes the append gate until the end of the transaction. Whoever holds it draws positions alone, so commit order is
-- position order and a reader following the log can never pass an event that commits later.
CREATE OR REPLACE FUNCTION gate() RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    PERFORM pg_advisory_xact_lock((1146045266::bigint << 32) | 'stored_events'::regclass::oid::bigint);
    PERFORM set_config('dossier.gate', current_schema() || ':' || pg_current_xact_id()::text, true);
END $$;

-- Events and receipts come in through the gate or not at all …
CREATE OR REPLACE FUNCTION check_gate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('dossier.gate', true) IS DISTINCT FROM TG_TABLE_SCHEMA || ':' || pg_current_xact_id()::text THEN
        RAISE EXCEPTION 'events and receipts are appended through the gate only' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NULL;
END $$;

-- … and stay as they are.
CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% on %: stored events and receipts are immutable', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
END $$;

CREATE OR REPLACE TRIGGER appended_through_the_gate BEFORE INSERT ON stored_events
    FOR EACH STATEMENT EXECUTE FUNCTION check_gate();
CREATE OR REPLACE TRIGGER appended_through_the_gate BEFORE INSERT ON receipts
    FOR EACH STATEMENT EXECUTE FUNCTION check_gate();
CREATE OR REPLACE TRIGGER immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON stored_events
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE OR REPLACE TRIGGER immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON receipts
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- What earlier releases called so, with whatever parameters, gives way.
DO $$
DECLARE
    outdated regprocedure;
BEGIN
    FOR outdated IN SELECT oid FROM pg_proc
        WHERE pronamespace = to_regnamespace(quote_ident(current_schema())) AND proname IN ('append', 'heads_differ')
    LOOP
        EXECUTE format('DROP FUNCTION %s', outdated);
    END LOOP;
END $$;

-- Appends the events of one command with its receipt: all or nothing, in one call and one transaction.
-- Outcomes: appended; earlier (the receipt that was on file); conflict (a stream has another version than expected).
-- It takes the gate as gate() does, but inline: the call would cost as much as the rest of the bookkeeping.
CREATE FUNCTION append(
    for_command uuid, with_digest bytea, about uuid, to_version bigint, at_position bigint,
    head_ids uuid[], head_versions bigint[],
    ids uuid[], versions bigint[], topics text[], states bytea[]
) RETURNS TABLE (outcome text, digest bytea, stream uuid, version bigint, "position" bigint, events int)
    LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    log  CONSTANT oid := 'stored_events'::regclass;
    head bigint;
BEGIN
    PERFORM pg_advisory_xact_lock((1146045266::bigint << 32) | log::bigint);
    PERFORM set_config('dossier.gate', current_schema() || ':' || pg_current_xact_id()::text, true);
    SELECT r.digest, r.stream, r.version, r.position, r.events
        INTO digest, stream, version, "position", events
        FROM receipts r WHERE r.command_id = for_command;
    IF FOUND THEN
        outcome := 'earlier';
        RETURN NEXT;
        RETURN;
    END IF;
    digest := with_digest; stream := about; version := to_version; "position" := at_position; events := 0;
    FOR i IN 1 .. cardinality(head_ids) LOOP
        SELECT originator_version INTO head FROM stored_events
            WHERE originator_id = head_ids[i] ORDER BY originator_version DESC LIMIT 1;
        IF coalesce(head, 0) <> head_versions[i] THEN
            outcome := 'conflict';
            RETURN NEXT;
            RETURN;
        END IF;
    END LOOP;
    FOR i IN 1 .. cardinality(ids) LOOP
        INSERT INTO stored_events (originator_id, originator_version, topic, state)
            VALUES (ids[i], versions[i], topics[i], states[i])
            RETURNING notification_id INTO "position";
    END LOOP;
    events := cardinality(ids);
    IF events > 0 THEN
        PERFORM pg_notify('stored_events', '');
    END IF;
    INSERT INTO receipts VALUES (for_command, with_digest, about, to_version, "position", events);
    outcome := 'appended';
    RETURN NEXT;
END $$;
