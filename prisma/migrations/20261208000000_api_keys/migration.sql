-- API keys: credentials that Halyard makes itself, for programs. docs/decisions/0047-api-keys.md explains.

CREATE TYPE api_key_role AS ENUM ('SERVICE', 'READER', 'ADMIN');

CREATE TABLE api_keys (
    id            UUID NOT NULL DEFAULT gen_random_uuid(),
    name          VARCHAR(100) NOT NULL,
    role          api_key_role NOT NULL,
    -- SHA-256 of the secret, which is stored nowhere.
    hash          BYTEA NOT NULL,
    -- How the secret begins, so that people recognise it.
    prefix        VARCHAR(20) NOT NULL,
    created_at    TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    -- Without a foreign key: as in the log, the id of a user who was deleted since stays.
    created_by_id UUID,
    expires_at    TIMESTAMPTZ(3),
    revoked_at    TIMESTAMPTZ(3),

    CONSTRAINT api_keys_pkey PRIMARY KEY (id),
    CONSTRAINT api_keys_name_check CHECK (name <> ''),
    CONSTRAINT api_keys_hash_check CHECK (octet_length(hash) = 32),
    CONSTRAINT api_keys_expires_at_check
        CHECK (expires_at >= TIMESTAMPTZ '0001-01-01 00:00:00+00' AND expires_at < TIMESTAMPTZ '10000-01-01 00:00:00+00'),
    CONSTRAINT api_keys_times_check CHECK (isfinite(created_at) AND isfinite(revoked_at))
);

CREATE UNIQUE INDEX api_keys_hash_key ON api_keys (hash);
-- Revoked keys keep their names, and do not hold them.
CREATE UNIQUE INDEX api_keys_name_key ON api_keys (name) WHERE revoked_at IS NULL;
CREATE INDEX api_keys_created_at_id_idx ON api_keys (created_at, id);

-- When each key was last used. A table of its own: a use is no change, and must neither be logged nor wait for those who change.
CREATE TABLE api_key_uses (
    key_id       UUID NOT NULL,
    last_used_at TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT api_key_uses_pkey PRIMARY KEY (key_id),
    CONSTRAINT api_key_uses_last_used_at_check CHECK (isfinite(last_used_at)),
    CONSTRAINT api_key_uses_key_id_fkey FOREIGN KEY (key_id) REFERENCES api_keys (id) ON DELETE CASCADE ON UPDATE CASCADE
);

-- ---------------------------------------------------------------------------------------------------------------------
-- The change log.

-- The API key that makes the changes: the transaction says so with SELECT set_config('halyard.api_key', '<uuid>', true).
CREATE FUNCTION halyard_api_key() RETURNS uuid LANGUAGE sql STABLE AS
    $$ SELECT nullif(current_setting('halyard.api_key', true), '')::uuid $$;

-- `kind_name` is the kind where nodes of the release before do not know it. `kind` then is one that changes nothing for them:
-- MEMBERS_ADDED without a group and without users. A value of the enum that they do not know would fail their reads of the log.
ALTER TABLE feature_changes
    ADD COLUMN api_key_id UUID,
    ADD COLUMN kind_name VARCHAR(50);
ALTER TABLE feature_changes ALTER COLUMN api_key_id SET DEFAULT halyard_api_key();

-- What the log shows of a key: everything but the hash.
CREATE FUNCTION halyard_api_key_state(k api_keys) RETURNS jsonb LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
    SELECT jsonb_build_object(
        'id', k.id, 'name', k.name, 'role', k.role, 'prefix', k.prefix, 'createdAt', halyard_time(k.created_at),
        'createdById', k.created_by_id, 'expiresAt', halyard_time(k.expires_at), 'revokedAt', halyard_time(k.revoked_at))
$$;

-- A key is made and revoked. Anything else would leave nodes with a key that is another one than they know.
CREATE FUNCTION halyard_keep_api_key() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF to_jsonb(NEW) - 'revoked_at' <> to_jsonb(OLD) - 'revoked_at'
       OR (OLD.revoked_at IS NOT NULL AND NEW.revoked_at IS DISTINCT FROM OLD.revoked_at) THEN
        RAISE EXCEPTION 'An API key is never changed: revoke it by its "revoked_at", and make another one.'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION halyard_log_api_keys() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    head bigint := halyard_log_head();
    actor uuid := halyard_actor();
    logged bigint;
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO feature_changes (revision, at, actor_id, kind, kind_name, after)
        SELECT head + row_number() OVER (ORDER BY n.id), clock_timestamp(), actor, 'MEMBERS_ADDED', 'API_KEY_CREATED',
               halyard_api_key_state(n)
        FROM new_rows n;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO feature_changes (revision, at, actor_id, kind, kind_name, before)
        SELECT head + row_number() OVER (ORDER BY o.id), clock_timestamp(), actor, 'MEMBERS_ADDED', 'API_KEY_REVOKED',
               halyard_api_key_state(o)
        FROM old_rows o WHERE o.revoked_at IS NULL;
    ELSE
        INSERT INTO feature_changes (revision, at, actor_id, kind, kind_name, before, after)
        SELECT head + row_number() OVER (ORDER BY o.id), clock_timestamp(), actor, 'MEMBERS_ADDED', 'API_KEY_REVOKED',
               halyard_api_key_state(o), halyard_api_key_state(n)
        FROM old_rows o JOIN new_rows n ON o.id = n.id
        WHERE o.revoked_at IS NULL AND n.revoked_at IS NOT NULL;
    END IF;
    GET DIAGNOSTICS logged = ROW_COUNT;
    PERFORM halyard_log_advance(logged);
    RETURN NULL;
END $$;

INSERT INTO feature_log_digests (table_name) VALUES ('api_keys');

CREATE TRIGGER halyard_keep BEFORE UPDATE ON api_keys FOR EACH ROW EXECUTE FUNCTION halyard_keep_api_key();
CREATE TRIGGER halyard_lock BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON api_keys
    FOR EACH STATEMENT EXECUTE FUNCTION halyard_lock_log();
CREATE TRIGGER halyard_log_insert AFTER INSERT ON api_keys
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION halyard_log_api_keys();
CREATE TRIGGER halyard_log_update AFTER UPDATE ON api_keys
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION halyard_log_api_keys();
CREATE TRIGGER halyard_log_delete AFTER DELETE ON api_keys
    REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION halyard_log_api_keys();
CREATE TRIGGER halyard_log_truncate AFTER TRUNCATE ON api_keys
    FOR EACH STATEMENT EXECUTE FUNCTION halyard_log_truncate();
CREATE TRIGGER halyard_digest_insert AFTER INSERT ON api_keys
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION halyard_digest();
CREATE TRIGGER halyard_digest_update AFTER UPDATE ON api_keys
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION halyard_digest();
CREATE TRIGGER halyard_digest_delete AFTER DELETE ON api_keys
    REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION halyard_digest();
ALTER TABLE api_keys ENABLE ALWAYS TRIGGER halyard_keep,
                     ENABLE ALWAYS TRIGGER halyard_lock,
                     ENABLE ALWAYS TRIGGER halyard_log_insert,
                     ENABLE ALWAYS TRIGGER halyard_log_update,
                     ENABLE ALWAYS TRIGGER halyard_log_delete,
                     ENABLE ALWAYS TRIGGER halyard_log_truncate,
                     ENABLE ALWAYS TRIGGER halyard_digest_insert,
                     ENABLE ALWAYS TRIGGER halyard_digest_update,
                     ENABLE ALWAYS TRIGGER halyard_digest_delete;
