-- As before, and a name of any other table is refused.

CREATE OR REPLACE FUNCTION halyard_accept(name text) RETURNS boolean LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    actual bigint;
BEGIN
    IF NOT EXISTS (SELECT FROM feature_log_digests WHERE table_name = name) THEN
        RAISE EXCEPTION 'halyard_accept takes the name of a logged table (%), not %',
            (SELECT string_agg(table_name, ', ' ORDER BY table_name) FROM feature_log_digests), quote_nullable(name)
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    -- The table before the head, as TRUNCATE takes them.
    EXECUTE format('LOCK TABLE %I IN ACCESS SHARE MODE', name);
    PERFORM FROM feature_log_head WHERE id = 1 FOR UPDATE;
    actual := halyard_digest_of(name);
    UPDATE feature_log_digests SET digest = actual WHERE table_name = name AND digest <> actual;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    INSERT INTO feature_changes (revision, at, actor_id, kind)
    VALUES (halyard_log_head() + 1, clock_timestamp(), halyard_actor(), 'RESET');
    PERFORM halyard_log_advance(1);
    RETURN true;
END $$;
