-- Of every line of the audit log: which person, from where, about what, and what it was before and after.
-- Nullable: lines of before know none of it, and nobody knows the address of a program behind a Unix socket.
ALTER TABLE audit_log
    ADD COLUMN user_id     text,
    ADD COLUMN entity_type text,
    ADD COLUMN entity_id   text,
    ADD COLUMN old_value   jsonb,
    ADD COLUMN new_value   jsonb,
    ADD COLUMN ip_address  text,
    ADD COLUMN user_agent  text;
-- Where nobody says, PostgreSQL does: the other end of the connection, and the program that opened it.
ALTER TABLE audit_log
    ALTER COLUMN ip_address SET DEFAULT host(inet_client_addr()),
    ALTER COLUMN user_agent SET DEFAULT nullif(current_setting('vikalp.agent', true), '');
