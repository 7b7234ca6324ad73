-- The chain as before, in fewer statements an event: at the commit of every order others wait for its head.
-- What is hashed, and how, stays as docs/ledger.md has it.
ALTER TABLE chain_heads ADD COLUMN previous bytea;  -- what `hash` was before the last event

SELECT set_config('search_path', format('%I, pg_temp', current_schema()), true);

CREATE OR REPLACE FUNCTION append_event(of_session text, of_topic text, of_fact text, of_key text, the_body jsonb)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    says_ns bigint := coalesce(the_body ->> 'at_ns', the_body ->> 'updated_ns', the_body ->> 'created_ns',
                               the_body ->> 'at_wall_ns', '0');
    now_ns  bigint := (extract(epoch FROM clock_timestamp()) * 1000000)::bigint * 1000;
BEGIN
    LOOP
        -- Who waits here for another's commit computes anew, from the head that one leaves.
        WITH head AS (
            UPDATE chain_heads h SET previous = h.hash, "offset" = h."offset" + 1,
                hash = sha256(h.hash || convert_to(jsonb_build_array(
                    of_session, h."offset" + 1, of_topic, of_fact, of_key, says_ns, now_ns, session_user::text, the_body
                )::text, 'UTF8'))
            WHERE h.session_id = of_session RETURNING h."offset", h.previous, h.hash)
        INSERT INTO events SELECT of_session, head."offset", of_topic, of_fact, of_key, says_ns, now_ns, session_user,
                                  the_body, head.previous, head.hash FROM head;
        EXIT WHEN FOUND;
        INSERT INTO chain_heads VALUES (of_session, 0, decode(repeat('00', 32), 'hex')) ON CONFLICT DO NOTHING;
    END LOOP;
END $$;

-- Arguments: fact, topic, the key's columns, the columns to leave out. As its owner: the desk's role may not write here.
CREATE OR REPLACE FUNCTION chain() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path FROM CURRENT SET TimeZone = 'UTC' SET extra_float_digits = 1 AS $$
DECLARE
    body  jsonb;
    cell  text;
    named text;
    done  text;  -- assigned and not performed: an assignment runs no statement of its own
BEGIN
    IF TG_OP = 'UPDATE' AND NEW IS NOT DISTINCT FROM OLD THEN
        RETURN NULL;
    END IF;
    body := to_jsonb(NEW) - TG_ARGV[3]::text[];
    FOREACH cell IN ARRAY TG_ARGV[2]::text[] LOOP
        named := CASE WHEN body ->> cell IS NULL THEN named ELSE coalesce(named || ' ', '') || (body ->> cell) END;
    END LOOP;
    done := append_event(NEW.session_id, topic_of(TG_ARGV[1], body), TG_ARGV[0], coalesce(named, ''), body);
    RETURN NULL;
END $$;
