-- The ledger for people and their tools: rupees, and names as trading systems commonly have them. NULL is what nobody
-- knows. `id` and dates are unique within a session alone, so each view ends with the session.
CREATE SCHEMA IF NOT EXISTS reporting;

CREATE VIEW reporting.audit_log AS
SELECT seq AS id, recorded_at AS "timestamp", coalesce(user_id, actor) AS user_id, action, entity_type, entity_id,
       old_value, coalesce(new_value, detail) AS new_value, ip_address, user_agent, session_id
FROM audit_log;

CREATE VIEW reporting.trade_history AS
SELECT seq AS id, trade_id, at AS "timestamp", symbol, side, quantity, (price_paise / 100.0)::numeric(18, 2) AS price,
       lot_size, (commission_paise / 100.0)::numeric(18, 2) AS commission, (tax_paise / 100.0)::numeric(18, 2) AS tax,
       (net_pnl_paise / 100.0)::numeric(18, 2) AS net_pnl, strategy, nullif(broker_order_id, '') AS broker_order_id,
       metadata, session_id
FROM trade_history;

CREATE VIEW reporting.daily_pnl AS
SELECT date AS trade_date, (realised_paise / 100.0)::numeric(18, 2) AS realized_pnl,
       (unrealised_paise / 100.0)::numeric(18, 2) AS unrealized_pnl, (net_paise / 100.0)::numeric(18, 2) AS total_pnl,
       trades AS total_trades, winners AS winning_trades, losers AS losing_trades,
       (max_drawdown_paise / 100.0)::numeric(18, 2) AS max_drawdown, sharpe AS sharpe_ratio,
       recorded_at AS created_at, session_id
FROM daily_pnl;

CREATE VIEW reporting.risk_events AS
SELECT seq AS id, at AS "timestamp", kind AS event_type, nullif(severity, '') AS severity, message AS description,
       coalesce(nullif(triggered_by, ''), subject) AS triggered_by, nullif(action_taken, '') AS action_taken, metadata,
       session_id
FROM risk_events;

CREATE VIEW reporting.system_alerts AS
SELECT seq AS id, at AS "timestamp", severity, subject AS component, message, session_id
FROM system_alerts;

CREATE VIEW reporting.trading_sessions AS
SELECT s.session_id, s.opened_at, to_timestamp(e.recorded_wall_ns / 1000000000.0) AS last_written_at,
       coalesce(o.epoch, 0) AS order_managers, h."offset" AS events,
       (SELECT count(*) FROM orders WHERE orders.session_id = s.session_id) AS orders,
       (SELECT count(*) FROM fills WHERE fills.session_id = s.session_id) AS trades
FROM sessions s
JOIN chain_heads h USING (session_id)
LEFT JOIN events e ON e.session_id = h.session_id AND e."offset" = h."offset"
LEFT JOIN oms_epoch o ON o.session_id = s.session_id;

CREATE VIEW reporting.risk_status AS
SELECT s.session_id, nullif(o.wanted, '') AS wanted_state, nullif(o.why, '') AS why,
       r.at AS last_event_at, r.kind AS last_event_type, r.message AS last_event
FROM sessions s
LEFT JOIN oms_epoch o USING (session_id)
LEFT JOIN LATERAL (SELECT * FROM risk_events x WHERE x.session_id = s.session_id ORDER BY seq DESC LIMIT 1) r ON true;

-- As it stands: the newest word of each account, whose scope outlives its sessions.
CREATE VIEW reporting.kill_switch AS
SELECT DISTINCT ON (scope) scope, at AS "timestamp", pulled, who, why, square_off
FROM kill_switch
ORDER BY scope, seq DESC;
