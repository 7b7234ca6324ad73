-- What is known of a trade, a risk event and a day when it is written, beyond what the desk itself reads back.
ALTER TABLE trade_history
    ADD COLUMN lot_size         bigint,
    ADD COLUMN commission_paise bigint,  -- brokerage, exchange, investor protection fund and SEBI
    ADD COLUMN tax_paise        bigint,  -- STT, stamp duty, GST
    ADD COLUMN net_pnl_paise    bigint,  -- realised by this trade, less its charges
    ADD COLUMN broker_order_id  text,
    ADD COLUMN metadata         jsonb;

ALTER TABLE risk_events
    ADD COLUMN severity     text CHECK (severity IN ('', 'info', 'warning', 'alarm')),
    ADD COLUMN triggered_by text,
    ADD COLUMN action_taken text,
    ADD COLUMN metadata     jsonb;

ALTER TABLE daily_pnl
    ADD COLUMN realised_paise     bigint,
    ADD COLUMN unrealised_paise   bigint,
    ADD COLUMN trades             bigint,  -- round trips
    ADD COLUMN winners            bigint,
    ADD COLUMN losers             bigint,
    ADD COLUMN max_drawdown_paise bigint,
    ADD COLUMN sharpe             double precision,
    ADD COLUMN recorded_at        timestamptz;
ALTER TABLE daily_pnl ALTER COLUMN recorded_at SET DEFAULT clock_timestamp();  -- of rows to come
