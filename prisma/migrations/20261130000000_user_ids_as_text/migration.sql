-- A user id is any text, as identity providers issue them. docs/decisions/0031-user-ids-are-any-text.md explains.

-- The text that the user is known by. Null: the user is known by the UUID.
ALTER TABLE users ADD COLUMN external_id VARCHAR(255) COLLATE "C";

-- The id under which a user is stored: a UUID itself; for any other text a UUIDv8 of the first 16 bytes of SHA-256 over
-- `halyard:` and the text in UTF-8. `storedUserId` in src/core/user-id.ts computes the same.
CREATE FUNCTION halyard_user_id(known_by text) RETURNS uuid LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    hash bytea;
BEGIN
    IF known_by ~ '^[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}$' THEN
        RETURN known_by::uuid;
    END IF;
    -- The blanks are those that JavaScript's trim() removes.
    IF known_by = '' OR char_length(known_by) > 255 OR known_by ~ '[\u0001-\u001F\u007F-\u009F]'
       OR known_by ~ '^[ \u00A0\u1680\u2000-\u200A\u2028\u2029\u202F\u205F\u3000\uFEFF]'
       OR known_by ~ '[ \u00A0\u1680\u2000-\u200A\u2028\u2029\u202F\u205F\u3000\uFEFF]$' THEN
        RAISE EXCEPTION 'This is no user id: expected 1 to 255 characters, without control characters and without blanks at either end.'
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    hash := substring(sha256(convert_to('halyard:' || known_by, 'UTF8')) FROM 1 FOR 16);
    hash := set_byte(hash, 6, get_byte(hash, 6) & 15 | 128);
    hash := set_byte(hash, 8, get_byte(hash, 8) & 63 | 128);
    RETURN encode(hash, 'hex')::uuid;
END $$;

CREATE UNIQUE INDEX users_external_id_key ON users (external_id);
ALTER TABLE users ADD CONSTRAINT users_external_id_check
    CHECK (id = halyard_user_id(external_id) AND id::text <> lower(external_id));

-- The text decides the id. The text of a UUID is the UUID.
CREATE FUNCTION halyard_identify_user() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    NEW.id := halyard_user_id(NEW.external_id);
    IF NEW.id::text = lower(NEW.external_id) THEN
        NEW.external_id := NULL;
    END IF;
    RETURN NEW;
END $$;

-- Before `halyard_touch`, in the order of their names.
CREATE TRIGGER halyard_identify_insert BEFORE INSERT ON users
    FOR EACH ROW WHEN (NEW.external_id IS NOT NULL) EXECUTE FUNCTION halyard_identify_user();
CREATE TRIGGER halyard_identify_update BEFORE UPDATE ON users
    FOR EACH ROW WHEN (NEW.external_id IS DISTINCT FROM OLD.external_id AND NEW.external_id IS NOT NULL)
    EXECUTE FUNCTION halyard_identify_user();
ALTER TABLE users ENABLE ALWAYS TRIGGER halyard_identify_insert, ENABLE ALWAYS TRIGGER halyard_identify_update;

-- The user who makes the changes: the transaction says so with SELECT set_config('halyard.actor', '<user id>', true).
CREATE OR REPLACE FUNCTION halyard_actor() RETURNS uuid LANGUAGE sql STABLE SET search_path FROM CURRENT AS
    $$ SELECT halyard_user_id(nullif(current_setting('halyard.actor', true), '')) $$;

-- ---------------------------------------------------------------------------------------------------------------------
-- The deletion of a user is an erasure: the log keeps what was done and when, and nothing about the person.

-- The state of a user or of an override without what it says about the person.
CREATE FUNCTION halyard_erased(state jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE AS
    $$ SELECT state || CASE WHEN state ? 'reason' THEN '{"reason": null}' ELSE '{"attributes": {}}' END::jsonb $$;

-- Erases these users in the log. Null: all users.
CREATE FUNCTION halyard_erase(ids uuid[]) RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF ids IS NULL THEN
        UPDATE feature_changes SET before = halyard_erased(before), after = halyard_erased(after) WHERE user_id IS NOT NULL;
    ELSE
        UPDATE feature_changes SET before = halyard_erased(before), after = halyard_erased(after) WHERE user_id = ANY (ids);
    END IF;
END $$;

-- A user's overrides are deleted with the user, and logged after that: erased, because the user is not there any more.
CREATE OR REPLACE FUNCTION halyard_log_overrides() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    head bigint := halyard_log_head();
    actor uuid := halyard_actor();
    logged bigint;
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO feature_changes (revision, at, actor_id, kind, flag_key, user_id, after)
        SELECT head + row_number() OVER (ORDER BY n.flag_key COLLATE "C", n.user_id), clock_timestamp(), actor,
               'OVERRIDE_SET', n.flag_key, n.user_id, halyard_override_state(n)
        FROM new_rows n;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO feature_changes (revision, at, actor_id, kind, flag_key, user_id, before)
        SELECT head + row_number() OVER (ORDER BY o.flag_key COLLATE "C", o.user_id), clock_timestamp(), actor,
               'OVERRIDE_REMOVED', o.flag_key, o.user_id,
               CASE WHEN u.id IS NULL THEN halyard_erased(halyard_override_state(o)) ELSE halyard_override_state(o) END
        FROM old_rows o LEFT JOIN users u ON u.id = o.user_id;
    ELSE
        INSERT INTO feature_changes (revision, at, actor_id, kind, flag_key, user_id, before, after)
        SELECT head + row_number() OVER (ORDER BY coalesce(o.flag_key, n.flag_key) COLLATE "C", coalesce(o.user_id, n.user_id)),
               clock_timestamp(), actor,
               CASE WHEN n.user_id IS NULL THEN 'OVERRIDE_REMOVED' ELSE 'OVERRIDE_SET' END::feature_change_kind,
               coalesce(o.flag_key, n.flag_key), coalesce(o.user_id, n.user_id),
               CASE WHEN o.user_id IS NULL THEN NULL WHEN u.id IS NULL THEN halyard_erased(halyard_override_state(o))
                    ELSE halyard_override_state(o) END,
               CASE WHEN n.user_id IS NOT NULL THEN halyard_override_state(n) END
        FROM old_rows o FULL JOIN new_rows n ON o.user_id = n.user_id AND o.flag_key = n.flag_key
             LEFT JOIN users u ON u.id = o.user_id
        WHERE halyard_compared(to_jsonb(o)) IS DISTINCT FROM halyard_compared(to_jsonb(n));
    END IF;
    GET DIAGNOSTICS logged = ROW_COUNT;
    PERFORM halyard_log_advance(logged);
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION halyard_log_users() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    head bigint := halyard_log_head();
    actor uuid := halyard_actor();
    logged bigint;
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO feature_changes (revision, at, actor_id, kind, user_id, after)
        SELECT head + row_number() OVER (ORDER BY n.id), clock_timestamp(), actor,
               'USER_UPDATED', n.id, halyard_user_state(n)
        FROM new_rows n
        WHERE n.attributes <> '{}';
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO feature_changes (revision, at, actor_id, kind, user_id, before)
        SELECT head + row_number() OVER (ORDER BY o.id), clock_timestamp(), actor,
               'USER_DELETED', o.id, halyard_user_state(o)
        FROM old_rows o;
    ELSE
        INSERT INTO feature_changes (revision, at, actor_id, kind, user_id, before, after)
        SELECT head + row_number() OVER (ORDER BY coalesce(o.id, n.id)), clock_timestamp(), actor,
               CASE WHEN n.id IS NULL THEN 'USER_DELETED' ELSE 'USER_UPDATED' END::feature_change_kind,
               coalesce(o.id, n.id),
               CASE WHEN o.id IS NOT NULL THEN halyard_user_state(o) END,
               CASE WHEN n.id IS NOT NULL THEN halyard_user_state(n) END
        FROM old_rows o FULL JOIN new_rows n ON o.id = n.id
        WHERE CASE WHEN o.id IS NULL THEN n.attributes <> '{}'
                   ELSE halyard_compared(to_jsonb(o)) IS DISTINCT FROM halyard_compared(to_jsonb(n)) END;
    END IF;
    GET DIAGNOSTICS logged = ROW_COUNT;
    PERFORM halyard_log_advance(logged);
    IF TG_OP = 'DELETE' THEN
        PERFORM halyard_erase(ARRAY(SELECT id FROM old_rows));
    ELSIF TG_OP = 'UPDATE' THEN
        -- A user who got another id is deleted under the old one.
        PERFORM halyard_erase(array_agg(o.id)) FROM old_rows o WHERE NOT EXISTS (SELECT FROM new_rows n WHERE n.id = o.id)
        HAVING count(*) > 0;
    END IF;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION halyard_log_truncate() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    UPDATE feature_log_digests SET digest = 0 WHERE table_name = TG_TABLE_NAME;
    INSERT INTO feature_changes (revision, at, actor_id, kind)
    VALUES (halyard_log_head() + 1, clock_timestamp(), halyard_actor(), 'RESET');
    PERFORM halyard_log_advance(1);
    IF TG_TABLE_NAME = 'users' THEN
        PERFORM halyard_erase(NULL);
    END IF;
    RETURN NULL;
END $$;

-- Also users who were deleted before.
SELECT halyard_erase(ARRAY(
    SELECT DISTINCT c.user_id FROM feature_changes c
    WHERE c.user_id IS NOT NULL AND NOT EXISTS (SELECT FROM users u WHERE u.id = c.user_id)));

SELECT halyard_accept('users');
