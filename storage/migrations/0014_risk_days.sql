-- What risk must still know of a day after its own restart: its best results, and which limits it has warned of.
CREATE TABLE risk_days (
    session_id  text NOT NULL REFERENCES sessions,
    date        date NOT NULL,
    body        jsonb NOT NULL,
    PRIMARY KEY (session_id, date)
);
SELECT keep_state('risk_days', 'ledger.risk_days', 'date');
