-- Stop-limit orders, IOC, after-market orders, modifications, and the plans that orders are steps of.
ALTER TABLE intents
    DROP CONSTRAINT intents_order_type_check,
    ADD CONSTRAINT intents_order_type_check CHECK (order_type IN ('LIMIT', 'MARKET', 'SL')),
    ADD COLUMN trigger_paise bigint NOT NULL DEFAULT 0,
    ADD COLUMN validity      text NOT NULL DEFAULT 'DAY' CHECK (validity IN ('DAY', 'IOC')),
    ADD COLUMN variety       text NOT NULL DEFAULT 'regular' CHECK (variety IN ('regular', 'amo')),
    ADD COLUMN plan          text NOT NULL DEFAULT '';

-- What rests at the broker once a modification has changed it; empty: as the intent says.
ALTER TABLE orders
    ADD COLUMN resting_type          text NOT NULL DEFAULT '' CHECK (resting_type IN ('', 'LIMIT', 'MARKET', 'SL')),
    ADD COLUMN resting_limit_paise   bigint NOT NULL DEFAULT 0,
    ADD COLUMN resting_trigger_paise bigint NOT NULL DEFAULT 0,
    ADD COLUMN modifications         bigint NOT NULL DEFAULT 0;

ALTER TABLE paper_orders
    ADD COLUMN trigger_paise         bigint NOT NULL DEFAULT 0,
    ADD COLUMN validity              text NOT NULL DEFAULT 'DAY',
    ADD COLUMN variety               text NOT NULL DEFAULT 'regular',
    ADD COLUMN plan                  text NOT NULL DEFAULT '',
    ADD COLUMN resting_type          text NOT NULL DEFAULT '',
    ADD COLUMN resting_limit_paise   bigint NOT NULL DEFAULT 0,
    ADD COLUMN resting_trigger_paise bigint NOT NULL DEFAULT 0,
    ADD COLUMN modifications         bigint NOT NULL DEFAULT 0;

-- The definition of a plan; what has become of it is told by its orders and by what it has said.
CREATE TABLE plans (
    seq        bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    session_id text NOT NULL REFERENCES sessions,
    plan_id    text NOT NULL,
    body       jsonb NOT NULL,
    created_ns bigint NOT NULL,
    PRIMARY KEY (session_id, plan_id)
);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON plans
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE plans ENABLE ALWAYS TRIGGER append_only;

-- What a plan has said, once a key; "done" is its end, "ending" that somebody wants it to end.
CREATE TABLE plan_words (
    seq        bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    session_id text NOT NULL,
    plan_id    text NOT NULL,
    key        text NOT NULL,
    severity   text NOT NULL CHECK (severity IN ('info', 'warning', 'alarm')),
    message    text NOT NULL,
    at_ns      bigint NOT NULL,
    PRIMARY KEY (session_id, plan_id, key),
    FOREIGN KEY (session_id, plan_id) REFERENCES plans
);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON plan_words
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE plan_words ENABLE ALWAYS TRIGGER append_only;

-- A position is a strategy's own, in one contract and product; the account's is their sum.
ALTER TABLE positions
    ADD COLUMN strategy text NOT NULL DEFAULT '',
    ADD COLUMN product  text NOT NULL DEFAULT 'NRML',
    DROP CONSTRAINT positions_pkey,
    ADD PRIMARY KEY (session_id, strategy, symbol, product);

-- The kill switch: pulled by a person or a rule, released by a person alone; the newest row of a scope decides.
-- A scope is an account, not a session: a kill of Friday holds on Monday.
CREATE TABLE kill_switch (
    seq        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    session_id text NOT NULL REFERENCES sessions,
    scope      text NOT NULL,
    pulled     boolean NOT NULL,
    who        text NOT NULL,
    why        text NOT NULL CHECK (why <> ''),
    square_off boolean NOT NULL,
    at_ns      bigint NOT NULL,
    at         timestamptz GENERATED ALWAYS AS (to_timestamp(at_ns / 1000000000.0)) STORED
);
CREATE INDEX kill_switch_scope ON kill_switch (scope, seq);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON kill_switch
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE kill_switch ENABLE ALWAYS TRIGGER append_only;
