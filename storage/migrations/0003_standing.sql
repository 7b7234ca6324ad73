-- What a person last told the order manager of a session; empty while nobody has.
ALTER TABLE oms_epoch
    ADD COLUMN wanted text NOT NULL DEFAULT '' CHECK (wanted IN ('', 'ACTIVE', 'REDUCING', 'HALTED')),
    ADD COLUMN why    text NOT NULL DEFAULT '';
