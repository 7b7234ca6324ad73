-- Positions that moved without a trade of the desk's: from product to product, or from outside into a strategy's book.
-- A conversion is asked for, and later done or refused: a row each, never changed.
CREATE TABLE position_moves (
    seq          bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    session_id   text NOT NULL REFERENCES sessions,
    move_id      text NOT NULL CHECK (move_id ~ '^[A-Z0-9]{1,20}$'),
    kind         text NOT NULL CHECK (kind IN ('convert', 'adopt')),
    phase        text NOT NULL CHECK (phase IN ('asked', 'done', 'refused')),
    strategy     text NOT NULL CHECK (strategy <> ''),
    symbol       text NOT NULL,
    index        text NOT NULL,
    quantity     bigint NOT NULL CHECK (quantity <> 0),
    product_from text NOT NULL CHECK (product_from IN ('', 'NRML', 'MIS')),
    product      text NOT NULL CHECK (product IN ('NRML', 'MIS')),
    who          text NOT NULL,
    at_ns        bigint NOT NULL,
    value_paise  bigint NOT NULL CHECK (value_paise >= 0),
    beyond_from  bigint NOT NULL,
    beyond_to    bigint NOT NULL,
    message      text NOT NULL,
    at           timestamptz GENERATED ALWAYS AS (to_timestamp(at_ns / 1000000000.0)) STORED,
    recorded_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (session_id, move_id, phase)
);
SELECT keep_facts('position_moves', 'ledger.position_moves', 'move_id', 'phase');
