-- A flag that is created again under a deleted key goes on after the last version of the old one: an `expectedVersion` from
-- before the deletion never passes.

-- The highest version that a flag of this key had when it was deleted.
CREATE TABLE feature_flag_versions (
    key     VARCHAR(100) COLLATE "C" NOT NULL,
    version INTEGER NOT NULL,

    CONSTRAINT feature_flag_versions_pkey PRIMARY KEY (key)
);

INSERT INTO feature_flag_versions (key, version)
SELECT flag_key, max((before ->> 'version')::integer) FROM feature_changes WHERE kind = 'FLAG_DELETED' GROUP BY flag_key;

-- The first version that a flag may have under this key.
CREATE FUNCTION halyard_next_version(of_key text) RETURNS integer LANGUAGE sql STABLE SET search_path FROM CURRENT AS
    $$ SELECT coalesce((SELECT version + 1 FROM feature_flag_versions WHERE key = of_key), 1) $$;

CREATE FUNCTION halyard_begin_version() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    NEW.version := greatest(NEW.version, halyard_next_version(NEW.key));
    RETURN NEW;
END $$;

CREATE OR REPLACE FUNCTION halyard_touch_flag() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF halyard_compared(to_jsonb(NEW)) <> halyard_compared(to_jsonb(OLD)) THEN
        NEW.version := OLD.version + 1;
        IF NEW.key <> OLD.key THEN
            NEW.version := greatest(NEW.version, halyard_next_version(NEW.key));
        END IF;
        NEW.updated_at := clock_timestamp();
    ELSE
        NEW.version := OLD.version;
        NEW.updated_at := OLD.updated_at;
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION halyard_keep_versions() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        INSERT INTO feature_flag_versions AS kept (key, version) SELECT key, version FROM feature_flags
        ON CONFLICT (key) DO UPDATE SET version = greatest(kept.version, EXCLUDED.version);
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO feature_flag_versions AS kept (key, version) SELECT key, version FROM old_rows
        ON CONFLICT (key) DO UPDATE SET version = greatest(kept.version, EXCLUDED.version);
    ELSE
        INSERT INTO feature_flag_versions AS kept (key, version)
        SELECT key, version FROM old_rows o WHERE NOT EXISTS (SELECT FROM new_rows n WHERE n.key = o.key)
        ON CONFLICT (key) DO UPDATE SET version = greatest(kept.version, EXCLUDED.version);
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER halyard_begin_version BEFORE INSERT ON feature_flags
    FOR EACH ROW EXECUTE FUNCTION halyard_begin_version();
-- After the lock of the log, in the order of their names.
CREATE TRIGGER halyard_versions_truncate BEFORE TRUNCATE ON feature_flags
    FOR EACH STATEMENT EXECUTE FUNCTION halyard_keep_versions();
CREATE TRIGGER halyard_versions_update AFTER UPDATE ON feature_flags
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION halyard_keep_versions();
CREATE TRIGGER halyard_versions_delete AFTER DELETE ON feature_flags
    REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION halyard_keep_versions();
ALTER TABLE feature_flags ENABLE ALWAYS TRIGGER halyard_begin_version,
                          ENABLE ALWAYS TRIGGER halyard_versions_truncate,
                          ENABLE ALWAYS TRIGGER halyard_versions_update,
                          ENABLE ALWAYS TRIGGER halyard_versions_delete;

-- A log that cannot be written says so, and how to mend it, whoever writes. Programs know it by its code.
CREATE OR REPLACE FUNCTION halyard_lock_log() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    head bigint;
BEGIN
    SELECT revision INTO head FROM feature_log_head WHERE id = 1 FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'The table feature_log_head has lost its row; no change can be logged. To mend it: INSERT INTO feature_log_head (revision) SELECT coalesce(max(revision), 0) FROM feature_changes.'
            USING ERRCODE = 'HLY01';
    END IF;
    IF EXISTS (SELECT FROM feature_changes WHERE revision > head) THEN
        RAISE EXCEPTION 'The change log has entries after its head, revision %; no change can be logged. To mend it: UPDATE feature_log_head SET revision = (SELECT max(revision) FROM feature_changes).', head
            USING ERRCODE = 'HLY01';
    END IF;
    RETURN NULL;
END $$;
