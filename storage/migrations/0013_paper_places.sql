-- How far an order of the paper broker has come: when it meets a book, whether it has, whether its trigger was reached,
-- and its time priority. One of before stands at the market.
ALTER TABLE paper_orders
    ADD COLUMN arrives_ns bigint  NOT NULL DEFAULT 0,
    ADD COLUMN arrived    boolean NOT NULL DEFAULT true,
    ADD COLUMN triggered  boolean NOT NULL DEFAULT false,
    ADD COLUMN joined     bigint  NOT NULL DEFAULT 0;
