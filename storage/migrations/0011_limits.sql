-- The risk limits as they were changed while a desk ran: a row is all of them, the newest of a scope is in force.
-- A scope is an account, not a session: what was set on Friday holds on Monday. Version 0 is what the settings said.
CREATE TABLE limit_versions (
    seq         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    session_id  text NOT NULL REFERENCES sessions,
    scope       text NOT NULL,
    version     integer NOT NULL CHECK (version >= 0),
    body        jsonb NOT NULL,
    who         text NOT NULL CHECK (who <> ''),
    why         text NOT NULL CHECK (why <> ''),
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (scope, version)
);
SELECT keep_facts('limit_versions', 'ledger.limit_versions', 'scope', 'version');
