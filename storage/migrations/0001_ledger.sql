-- The journal of money. Money is bigint paise, times are bigint nanoseconds (UTC) with a readable column beside them.
-- Kept to PostgreSQL 15 and to no extension.

CREATE TABLE sessions (
    session_id  text PRIMARY KEY,
    opened_at   timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- The one order manager of a session: who holds an older epoch writes nothing any more.
CREATE TABLE oms_epoch (
    session_id  text PRIMARY KEY REFERENCES sessions,
    epoch       bigint NOT NULL CHECK (epoch > 0),
    taken_at    timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE intents (
    seq         bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    session_id  text NOT NULL REFERENCES sessions,
    tag         text NOT NULL,
    strategy    text NOT NULL,
    index       text NOT NULL,
    symbol      text NOT NULL,
    side        text NOT NULL CHECK (side IN ('BUY', 'SELL')),
    quantity    bigint NOT NULL,
    order_type  text NOT NULL CHECK (order_type IN ('LIMIT', 'MARKET')),
    limit_paise bigint NOT NULL,
    product     text NOT NULL CHECK (product IN ('NRML', 'MIS')),
    purpose     text NOT NULL CHECK (purpose IN ('entry', 'hedge', 'exit')),
    reason      text NOT NULL,
    created_ns  bigint NOT NULL,
    created_at  timestamptz GENERATED ALWAYS AS (to_timestamp(created_ns / 1000000000.0)) STORED,
    PRIMARY KEY (session_id, tag)
);

CREATE TABLE orders (
    session_id      text NOT NULL,
    tag             text NOT NULL,
    state           text NOT NULL,
    broker_id       text NOT NULL,
    filled_quantity bigint NOT NULL,
    average_paise   double precision NOT NULL,
    message         text NOT NULL,
    updated_ns      bigint NOT NULL,
    updated_at      timestamptz GENERATED ALWAYS AS (to_timestamp(updated_ns / 1000000000.0)) STORED,
    PRIMARY KEY (session_id, tag),
    FOREIGN KEY (session_id, tag) REFERENCES intents
);

CREATE TABLE order_events (
    seq             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    session_id      text NOT NULL,
    tag             text NOT NULL,
    state           text NOT NULL,
    at_ns           bigint NOT NULL,
    filled_quantity bigint NOT NULL,
    message         text NOT NULL,
    at              timestamptz GENERATED ALWAYS AS (to_timestamp(at_ns / 1000000000.0)) STORED,
    FOREIGN KEY (session_id, tag) REFERENCES intents
);
CREATE INDEX order_events_tag ON order_events (session_id, tag, seq);

CREATE TABLE fills (
    seq         bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    session_id  text NOT NULL,
    trade_id    text NOT NULL,
    tag         text NOT NULL,
    strategy    text NOT NULL,
    index       text NOT NULL,
    symbol      text NOT NULL,
    side        text NOT NULL CHECK (side IN ('BUY', 'SELL')),
    quantity    bigint NOT NULL,
    price_paise bigint NOT NULL,
    at_ns       bigint NOT NULL,
    at          timestamptz GENERATED ALWAYS AS (to_timestamp(at_ns / 1000000000.0)) STORED,
    PRIMARY KEY (session_id, trade_id),
    FOREIGN KEY (session_id, tag) REFERENCES intents
);

CREATE TABLE positions (
    seq              bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    session_id       text NOT NULL REFERENCES sessions,
    symbol           text NOT NULL,
    index            text NOT NULL,
    quantity         bigint NOT NULL,
    average_paise    double precision NOT NULL,
    last_paise       bigint NOT NULL,
    realised_paise   bigint NOT NULL,
    unrealised_paise bigint NOT NULL,
    charges_paise    bigint NOT NULL,
    PRIMARY KEY (session_id, symbol)
);

CREATE TABLE daily_pnl (
    session_id    text NOT NULL REFERENCES sessions,
    date          date NOT NULL,
    gross_paise   bigint NOT NULL,
    charges_paise bigint NOT NULL,
    net_paise     bigint GENERATED ALWAYS AS (gross_paise - charges_paise) STORED,
    PRIMARY KEY (session_id, date)
);

CREATE TABLE risk_events (
    seq        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    session_id text NOT NULL REFERENCES sessions,
    at_ns      bigint NOT NULL,
    kind       text NOT NULL,
    subject    text NOT NULL,
    message    text NOT NULL,
    at         timestamptz GENERATED ALWAYS AS (to_timestamp(at_ns / 1000000000.0)) STORED
);

CREATE TABLE system_alerts (
    seq        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    session_id text NOT NULL REFERENCES sessions,
    at_wall_ns bigint NOT NULL,
    severity   text NOT NULL CHECK (severity IN ('info', 'warning', 'alarm')),
    subject    text NOT NULL,
    message    text NOT NULL,
    at         timestamptz GENERATED ALWAYS AS (to_timestamp(at_wall_ns / 1000000000.0)) STORED
);

-- Every trade with what the position was after it. Append-only.
CREATE TABLE trade_history (
    seq               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    session_id        text NOT NULL REFERENCES sessions,
    trade_id          text NOT NULL,
    tag               text NOT NULL,
    strategy          text NOT NULL,
    index             text NOT NULL,
    symbol            text NOT NULL,
    side              text NOT NULL,
    quantity          bigint NOT NULL,
    price_paise       bigint NOT NULL,
    at_ns             bigint NOT NULL,
    position_quantity bigint NOT NULL,
    realised_paise    bigint NOT NULL,
    charges_paise     bigint NOT NULL,
    at                timestamptz GENERATED ALWAYS AS (to_timestamp(at_ns / 1000000000.0)) STORED,
    recorded_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (session_id, trade_id)
);

-- Who did what, in the order it was committed. Append-only.
CREATE TABLE audit_log (
    seq         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    session_id  text NOT NULL REFERENCES sessions,
    actor       text NOT NULL,
    action      text NOT NULL,
    detail      jsonb NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX audit_log_session ON audit_log (session_id, seq);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON trade_history
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
-- ALWAYS: also for a session that calls itself a replica.
ALTER TABLE audit_log ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE trade_history ENABLE ALWAYS TRIGGER append_only;
