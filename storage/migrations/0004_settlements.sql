-- What each contract was worth when it expired: one row a contract and session, never changed.
CREATE TABLE settlements (
    seq         bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    session_id  text NOT NULL REFERENCES sessions,
    symbol      text NOT NULL,
    index       text NOT NULL,
    close_paise bigint NOT NULL CHECK (close_paise > 0),
    value_paise bigint NOT NULL CHECK (value_paise >= 0),
    source      text NOT NULL,
    at_ns       bigint NOT NULL,
    at          timestamptz GENERATED ALWAYS AS (to_timestamp(at_ns / 1000000000.0)) STORED,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (session_id, symbol)
);

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON settlements
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE settlements ENABLE ALWAYS TRIGGER append_only;
