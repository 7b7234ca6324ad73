-- One hash-chained log a session of every fact and every change beside it: it proves the tables, and others read it in
-- order. docs/ledger.md says what it proves and how a hash is computed.

-- The functions below run as their owner, so they must find these tables and no others.
SELECT set_config('search_path', format('%I, pg_temp', current_schema()), true);

-- What comes next in each session's chain. One row a session: who holds its lock appends. It is the last lock a
-- transaction takes, at its commit.
CREATE TABLE chain_heads (
    session_id text PRIMARY KEY,
    "offset"   bigint NOT NULL CHECK ("offset" >= 0),
    hash       bytea NOT NULL CHECK (length(hash) = 32)
) WITH (fillfactor = 10);

CREATE TABLE events (
    session_id       text NOT NULL,
    "offset"         bigint NOT NULL CHECK ("offset" > 0),
    topic            text NOT NULL,
    fact             text NOT NULL,  -- whose row it is: chained.fact
    key              text NOT NULL,  -- of what: an order's tag, a contract, a day
    at_ns            bigint NOT NULL,  -- as the fact itself says, of the market's clock; 0 where it says none
    recorded_wall_ns bigint NOT NULL,
    writer           text NOT NULL,  -- the database's role
    body             jsonb NOT NULL,  -- the row as it was written, without what PostgreSQL derives
    previous         bytea NOT NULL,
    hash             bytea NOT NULL,
    PRIMARY KEY (session_id, "offset")
);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON events
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE events ENABLE ALWAYS TRIGGER append_only;

-- The tables whose rows are in the chain. A retired fact is one that its table's rows went by before its key changed.
CREATE TABLE chained (
    fact        text PRIMARY KEY,
    relation    text NOT NULL,
    key         text[] NOT NULL,
    append_only boolean NOT NULL,
    retired     boolean NOT NULL DEFAULT false
);

CREATE FUNCTION append_event(of_session text, of_topic text, of_fact text, of_key text, the_body jsonb) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    place    bigint;
    before   bytea;
    says_ns  bigint := coalesce(the_body ->> 'at_ns', the_body ->> 'updated_ns', the_body ->> 'created_ns',
                                the_body ->> 'at_wall_ns', '0');
    now_ns   bigint := (extract(epoch FROM clock_timestamp()) * 1000000)::bigint * 1000;
    content  text;
    made     bytea;
BEGIN
    SELECT h."offset" + 1, h.hash INTO place, before FROM chain_heads h WHERE h.session_id = of_session FOR UPDATE;
    IF NOT FOUND THEN
        place := 1;
        before := decode(repeat('00', 32), 'hex');
        INSERT INTO chain_heads VALUES (of_session, 0, before);
    END IF;
    content := jsonb_build_array(
        of_session, place, of_topic, of_fact, of_key, says_ns, now_ns, session_user::text, the_body);
    made := sha256(before || convert_to(content, 'UTF8'));
    INSERT INTO events VALUES (of_session, place, of_topic, of_fact, of_key, says_ns, now_ns, session_user, the_body,
                               before, made);
    UPDATE chain_heads SET "offset" = place, hash = made WHERE session_id = of_session;
END $$;

CREATE FUNCTION topic_of(of_topic text, body jsonb) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN of_topic = 'orders.updated' AND body ->> 'state' IN ('REFUSED', 'REJECTED')
           THEN 'orders.rejected' ELSE of_topic END
$$;

-- Arguments: fact, topic, the key's columns, the columns to leave out. As its owner: the desk's role may not write here.
CREATE FUNCTION chain() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path FROM CURRENT SET TimeZone = 'UTC' SET extra_float_digits = 1 AS $$
DECLARE
    body jsonb := to_jsonb(NEW) - TG_ARGV[3]::text[];
BEGIN
    IF TG_OP = 'INSERT' OR NEW IS DISTINCT FROM OLD THEN
        PERFORM append_event(NEW.session_id, topic_of(TG_ARGV[1], body), TG_ARGV[0],
                             array_to_string(ARRAY(SELECT body ->> k FROM unnest(TG_ARGV[2]::text[]) k), ' '), body);
    END IF;
    RETURN NULL;
END $$;

-- Puts a table with a session_id into the chain, and first what it holds already. A migration calls keep_facts or
-- keep_state for each new table, and again where a key has changed or the rows of before shall prove a new column too:
-- what is chained for the second time has a topic that no reader from outside takes for news.
CREATE FUNCTION keep_chained(of_relation text, of_topic text, of_key text[], is_append_only boolean) RETURNS void
LANGUAGE plpgsql SET TimeZone = 'UTC' SET extra_float_digits = 1 AS $$
DECLARE
    left_out text[] := ARRAY(SELECT attname::text FROM pg_attribute WHERE attrelid = of_relation::regclass
                             AND attgenerated <> '' AND NOT attisdropped) || ARRAY['session_id'];
    earlier  bigint := (SELECT count(*) FROM chained c WHERE c.relation = of_relation);
    label    text := of_relation || CASE WHEN earlier > 0 THEN '.' || (earlier + 1) ELSE '' END;
    held     record;
BEGIN
    UPDATE chained SET retired = true WHERE relation = of_relation;
    INSERT INTO chained VALUES (label, of_relation, of_key, is_append_only);
    EXECUTE format('DROP TRIGGER IF EXISTS chain ON %I', of_relation);
    -- At the commit: the head is locked for the commit alone, and after every other lock, so that nobody waits in a ring.
    EXECUTE format('CREATE CONSTRAINT TRIGGER chain AFTER INSERT %s ON %I DEFERRABLE INITIALLY DEFERRED FOR EACH ROW '
                   'EXECUTE FUNCTION chain(%L, %L, %L, %L)',
                   CASE WHEN is_append_only THEN '' ELSE 'OR UPDATE' END, of_relation, label, of_topic, of_key,
                   left_out);
    FOR held IN EXECUTE format('SELECT t.session_id, to_jsonb(t) - %L::text[] AS body FROM %I t ORDER BY %s', left_out,
                               of_relation, CASE WHEN is_append_only THEN 'seq' ELSE array_to_string(of_key, ',') END)
    LOOP
        PERFORM append_event(held.session_id,
                             CASE WHEN earlier > 0 THEN 'ledger.' || of_relation ELSE topic_of(of_topic, held.body) END, label,
                             array_to_string(ARRAY(SELECT held.body ->> k FROM unnest(of_key) k), ' '), held.body);
    END LOOP;
END $$;

-- A table that only grows; it has a column `seq`.
CREATE FUNCTION keep_facts(of_relation text, of_topic text, VARIADIC of_key text[]) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('DROP TRIGGER IF EXISTS append_only ON %I', of_relation);
    EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON %I '
                   'FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', of_relation);
    EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER append_only', of_relation);
    PERFORM keep_chained(of_relation, of_topic, of_key, true);
END $$;

CREATE FUNCTION refuse_removal() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of % stay: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
END $$;

-- A table whose rows change and never go; its key is unique within a session.
CREATE FUNCTION keep_state(of_relation text, of_topic text, VARIADIC of_key text[]) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('DROP TRIGGER IF EXISTS stays ON %I', of_relation);
    EXECUTE format('CREATE TRIGGER stays BEFORE DELETE OR TRUNCATE ON %I '
                   'FOR EACH STATEMENT EXECUTE FUNCTION refuse_removal()', of_relation);
    EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER stays', of_relation);
    PERFORM keep_chained(of_relation, of_topic, of_key, false);
END $$;

SELECT keep_state('sessions', 'ledger.sessions', 'session_id');
SELECT keep_state('oms_epoch', 'ledger.oms_epoch', 'session_id');
SELECT keep_facts('intents', 'orders.submitted', 'tag');
SELECT keep_state('orders', 'ledger.orders', 'tag');
SELECT keep_facts('order_events', 'orders.updated', 'tag');
SELECT keep_facts('fills', 'orders.executed', 'tag');
SELECT keep_facts('trade_history', 'trades.completed', 'tag');
SELECT keep_state('positions', 'positions.updated', 'symbol', 'product', 'strategy');
SELECT keep_facts('settlements', 'ledger.settlements', 'symbol');
SELECT keep_state('daily_pnl', 'ledger.daily_pnl', 'date');
SELECT keep_facts('risk_events', 'risks.breached', 'subject');
SELECT keep_facts('system_alerts', 'system.alerts', 'subject');
SELECT keep_facts('plans', 'ledger.plans', 'plan_id');
SELECT keep_facts('plan_words', 'ledger.plan_words', 'plan_id');
SELECT keep_facts('kill_switch', 'ledger.kill_switch', 'scope');
SELECT keep_facts('audit_log', 'ledger.audit_log', 'actor');

-- Nobody but the triggers appends, and nobody but the owner puts tables into the chain.
REVOKE EXECUTE ON FUNCTION append_event, chain, keep_chained, keep_facts, keep_state FROM PUBLIC;
