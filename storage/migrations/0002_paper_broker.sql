-- The paper broker's own book: what a real broker keeps on its side of the wire.

CREATE TABLE paper_orders (
    seq             bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    session_id      text NOT NULL,
    tag             text NOT NULL,
    strategy        text NOT NULL,
    index           text NOT NULL,
    symbol          text NOT NULL,
    side            text NOT NULL,
    quantity        bigint NOT NULL,
    order_type      text NOT NULL,
    limit_paise     bigint NOT NULL,
    product         text NOT NULL,
    purpose         text NOT NULL,
    reason          text NOT NULL,
    created_ns      bigint NOT NULL,
    state           text NOT NULL,
    broker_id       text NOT NULL,
    filled_quantity bigint NOT NULL,
    average_paise   double precision NOT NULL,
    message         text NOT NULL,
    updated_ns      bigint NOT NULL,
    PRIMARY KEY (session_id, tag)
);

CREATE TABLE paper_fills (
    seq         bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    session_id  text NOT NULL,
    trade_id    text NOT NULL,
    tag         text NOT NULL,
    strategy    text NOT NULL,
    index       text NOT NULL,
    symbol      text NOT NULL,
    side        text NOT NULL,
    quantity    bigint NOT NULL,
    price_paise bigint NOT NULL,
    at_ns       bigint NOT NULL,
    PRIMARY KEY (session_id, trade_id),
    FOREIGN KEY (session_id, tag) REFERENCES paper_orders
);
