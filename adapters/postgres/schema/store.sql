-- The event store. `stored_events` itself is made by the eventsourcing library's recorder, other tables by the numbered
-- migrations; this file adds what guards them and what appends to them, and is run whole by each release that changes it.
-- Run with search_path set to the store's schema.

-- Takes the append gate until the end of the transaction. Whoever holds it draws positions alone, so commit order is
-- position order and a reader following the log can never pass an event that commits later.
CREATE OR REPLACE FUNCTION gate() RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    log CONSTANT oid := 'stored_events'::regclass;
BEGIN
    PERFORM pg_advisory_xact_lock((1146045266::bigint << 32) | log::bigint);
    PERFORM set_config('dossier.gate', log::text || ':' || pg_current_xact_id()::text, true);
END $$;

CREATE OR REPLACE FUNCTION refuse_insert() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'events and receipts are appended through the gate only' USING ERRCODE = 'insufficient_privilege';
END $$;

-- … and stay as they are.
CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% on %: stored events and receipts are immutable', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
END $$;

-- Events and receipts come in through the gate or not at all. (A condition, not a function, looks: it is asked at every
-- insert.)
CREATE OR REPLACE TRIGGER appended_through_the_gate BEFORE INSERT ON stored_events FOR EACH STATEMENT
    WHEN (current_setting('dossier.gate', true) IS DISTINCT FROM
          'stored_events'::regclass::oid::text || ':' || pg_current_xact_id()::text)
    EXECUTE FUNCTION refuse_insert();
CREATE OR REPLACE TRIGGER appended_through_the_gate BEFORE INSERT ON receipts FOR EACH STATEMENT
    WHEN (current_setting('dossier.gate', true) IS DISTINCT FROM
          'stored_events'::regclass::oid::text || ':' || pg_current_xact_id()::text)
    EXECUTE FUNCTION refuse_insert();
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
        WHERE pronamespace = to_regnamespace(quote_ident(current_schema()))
            AND proname IN ('append', 'heads_differ', 'check_gate')
    LOOP
        EXECUTE format('DROP FUNCTION %s', outdated);
    END LOOP;
END $$;

-- Appends the requests of a group in order, each with its receipt, in one call and one transaction. Each is written whole
-- or left out whole, whatever becomes of the others; a later one is judged by what earlier ones wrote.
-- Outcomes: appended; earlier (the receipt that was on file); conflict (a stream has another version than expected).
-- Request r has the heads up to last_heads[r] and the events up to last_events[r] that its predecessor does not have.
-- It takes the gate as gate() does, but inline: the call would cost as much as the rest of the bookkeeping of a lone one.
-- Plans are cached while the tables are small and used when they are large: they must never settle for reading one whole.
CREATE FUNCTION append(
    commands uuid[], digests bytea[], abouts uuid[], to_versions bigint[], at_positions bigint[],
    last_heads bigint[], head_ids uuid[], head_versions bigint[],
    last_events bigint[], ids uuid[], versions bigint[], topics text[], states bytea[]
) RETURNS TABLE (outcome text, digest bytea, stream uuid, version bigint, "position" bigint, events int)
    LANGUAGE plpgsql SET search_path FROM CURRENT SET enable_seqscan = off AS $$
DECLARE
    log     CONSTANT oid := 'stored_events'::regclass;
    heads   bigint := 0;
    written bigint := 0;
    head    bigint;
    news    boolean := false;
BEGIN
    PERFORM pg_advisory_xact_lock((1146045266::bigint << 32) | log::bigint);
    PERFORM set_config('dossier.gate', log::text || ':' || pg_current_xact_id()::text, true);
    FOR r IN 1 .. cardinality(commands) LOOP
        SELECT 'earlier', f.digest, f.stream, f.version, f.position, f.events
            INTO outcome, digest, stream, version, "position", events
            FROM receipts f WHERE f.command_id = commands[r];
        IF NOT FOUND THEN
            outcome := 'appended';
            FOR i IN heads + 1 .. last_heads[r] LOOP
                SELECT originator_version INTO head FROM stored_events
                    WHERE originator_id = head_ids[i] ORDER BY originator_version DESC LIMIT 1;
                IF coalesce(head, 0) <> head_versions[i] THEN
                    outcome := 'conflict';
                    EXIT;
                END IF;
            END LOOP;
        END IF;
        IF outcome = 'appended' THEN
            digest := digests[r]; stream := abouts[r]; version := to_versions[r]; "position" := at_positions[r];
            events := last_events[r] - written;
            FOR i IN written + 1 .. last_events[r] LOOP
                INSERT INTO stored_events (originator_id, originator_version, topic, state)
                    VALUES (ids[i], versions[i], topics[i], states[i])
                    RETURNING notification_id INTO "position";
            END LOOP;
            news := news OR events > 0;
            INSERT INTO receipts VALUES (commands[r], digest, stream, version, "position", events);
        END IF;
        heads := last_heads[r];
        written := last_events[r];
        RETURN NEXT;
    END LOOP;
    IF news THEN
        PERFORM pg_notify('stored_events', '');
    END IF;
END $$;
