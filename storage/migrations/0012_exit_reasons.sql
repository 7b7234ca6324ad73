-- Why an exit left: a bracket's order is sent as its stop, and may leave at its target.
ALTER TABLE fills         ADD COLUMN reason text NOT NULL DEFAULT '';
ALTER TABLE trade_history ADD COLUMN reason text NOT NULL DEFAULT '';
ALTER TABLE paper_fills   ADD COLUMN reason text NOT NULL DEFAULT '';
SELECT keep_facts('fills', 'orders.executed', 'tag');
SELECT keep_facts('trade_history', 'trades.completed', 'tag');
