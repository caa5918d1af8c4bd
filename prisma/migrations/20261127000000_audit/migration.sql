-- Whatever changes the tables past the triggers is noticed. docs/decisions/0023-what-bypasses-the-triggers-is-noticed.md explains.

-- By table, the exclusive or of the hashes of all rows that the triggers have seen there.
CREATE TABLE feature_log_digests (
    table_name  VARCHAR(100) COLLATE "C" NOT NULL,
    digest      BIGINT NOT NULL DEFAULT 0,
    check_after TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT feature_log_digests_pkey PRIMARY KEY (table_name)
);

-- The same of the rows that are there. Reads the whole table.
CREATE FUNCTION halyard_digest_of(name text) RETURNS bigint LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
DECLARE
    found_digest bigint;
BEGIN
    EXECUTE format('SELECT coalesce(bit_xor(hash_record_extended(t, 0)), 0) FROM %I t', name) INTO found_digest;
    RETURN found_digest;
END $$;

INSERT INTO feature_log_digests (table_name, digest)
SELECT name, halyard_digest_of(name)
FROM unnest('{users,feature_flags,user_feature_groups,feature_flag_overrides}'::text[]) AS name;

-- Follows the rows of one statement.
CREATE FUNCTION halyard_digest() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    gone bigint := 0;
    come bigint := 0;
BEGIN
    IF TG_OP <> 'INSERT' THEN
        SELECT coalesce(bit_xor(hash_record_extended(o, 0)), 0) INTO gone FROM old_rows o;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        SELECT coalesce(bit_xor(hash_record_extended(n, 0)), 0) INTO come FROM new_rows n;
    END IF;
    IF gone <> come THEN
        UPDATE feature_log_digests SET digest = digest # gone # come WHERE table_name = TG_TABLE_NAME;
    END IF;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION halyard_log_truncate() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    UPDATE feature_log_digests SET digest = 0 WHERE table_name = TG_TABLE_NAME;
    INSERT INTO feature_changes (revision, at, actor_id, kind)
    VALUES (halyard_log_head() + 1, clock_timestamp(), halyard_actor(), 'RESET');
    PERFORM halyard_log_advance(1);
    RETURN NULL;
END $$;

-- Takes the rows of a table as they are. Where they are not those that the triggers have seen, a RESET is logged: readers
-- load everything again. Returns whether it was.
CREATE FUNCTION halyard_accept(name text) RETURNS boolean LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    actual bigint;
BEGIN
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

-- Also in sessions that play a replica: what restores or replicates rows changes answers as well.
DO $$
DECLARE
    logged text;
    fired record;
BEGIN
    FOR logged IN SELECT table_name FROM feature_log_digests LOOP
        EXECUTE format('CREATE TRIGGER halyard_digest_insert AFTER INSERT ON %I
            REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION halyard_digest()', logged);
        EXECUTE format('CREATE TRIGGER halyard_digest_update AFTER UPDATE ON %I
            REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION halyard_digest()', logged);
        EXECUTE format('CREATE TRIGGER halyard_digest_delete AFTER DELETE ON %I
            REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION halyard_digest()', logged);
        FOR fired IN SELECT tgname FROM pg_trigger WHERE tgrelid = logged::regclass AND NOT tgisinternal AND tgname LIKE 'halyard\_%' LOOP
            EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER %I', logged, fired.tgname);
        END LOOP;
    END LOOP;
END $$;
