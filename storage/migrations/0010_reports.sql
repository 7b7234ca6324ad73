-- What a desk was like every quarter of an hour, and what each of its days came to beside the broker's word.
CREATE TABLE snapshots (
    seq         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    session_id  text NOT NULL REFERENCES sessions,
    at_ns       bigint NOT NULL,
    at          timestamptz GENERATED ALWAYS AS (to_timestamp(at_ns / 1000000000.0)) STORED,
    body        jsonb NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX snapshots_session ON snapshots (session_id, at_ns);

-- A day may be reported again; the newest row of it counts. `differences` are those that nothing explains.
CREATE TABLE eod_reports (
    seq         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    session_id  text NOT NULL REFERENCES sessions,
    date        date NOT NULL,
    differences bigint NOT NULL CHECK (differences >= 0),
    body        jsonb NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX eod_reports_session ON eod_reports (session_id, date, seq);

SELECT keep_facts('snapshots', 'ledger.snapshots', 'at_ns');
SELECT keep_facts('eod_reports', 'ledger.eod_reports', 'date');
