-- Tables, and the change log that triggers keep. docs/decisions/0002-change-log-by-triggers.md explains the log.
--
-- Everything is made in the schema that comes first on the search path, and each function remembers that path: a
-- session with another one, or a tool such as pg_restore that empties it, still writes to the right tables.

CREATE TABLE users (
    id         UUID NOT NULL DEFAULT gen_random_uuid(),
    attributes JSONB NOT NULL DEFAULT '{}',
    created_at TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    updated_at TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT users_pkey PRIMARY KEY (id),
    CONSTRAINT users_attributes_check CHECK (jsonb_typeof(attributes) = 'object')
);

CREATE TABLE feature_flags (
    id            UUID NOT NULL DEFAULT gen_random_uuid(),
    key           VARCHAR(100) COLLATE "C" NOT NULL,
    name          VARCHAR(200) NOT NULL,
    description   TEXT,
    enabled       BOOLEAN NOT NULL DEFAULT false,
    percentage    INTEGER NOT NULL DEFAULT 100,
    conditions    JSONB NOT NULL DEFAULT '{}',
    version       INTEGER NOT NULL DEFAULT 1,
    created_at    TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    updated_at    TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    created_by_id UUID,

    CONSTRAINT feature_flags_pkey PRIMARY KEY (id),
    CONSTRAINT feature_flags_key_check CHECK (key ~ '^[A-Za-z0-9][A-Za-z0-9._:-]*$'),
    CONSTRAINT feature_flags_name_check CHECK (name <> ''),
    CONSTRAINT feature_flags_percentage_check CHECK (percentage BETWEEN 0 AND 100),
    CONSTRAINT feature_flags_conditions_check CHECK (jsonb_typeof(conditions) = 'object'),
    CONSTRAINT feature_flags_version_check CHECK (version >= 1),
    CONSTRAINT feature_flags_times_check CHECK (isfinite(created_at) AND isfinite(updated_at))
);

CREATE TABLE user_feature_groups (
    user_id     UUID NOT NULL,
    group_name  VARCHAR(100) COLLATE "C" NOT NULL,
    added_at    TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    added_by_id UUID,

    CONSTRAINT user_feature_groups_pkey PRIMARY KEY (user_id, group_name),
    CONSTRAINT user_feature_groups_group_name_check CHECK (group_name <> '')
);

CREATE TABLE feature_flag_overrides (
    user_id       UUID NOT NULL,
    flag_key      VARCHAR(100) COLLATE "C" NOT NULL,
    enabled       BOOLEAN NOT NULL,
    reason        VARCHAR(500),
    expires_at    TIMESTAMPTZ(3),
    created_at    TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    created_by_id UUID,

    CONSTRAINT feature_flag_overrides_pkey PRIMARY KEY (user_id, flag_key),
    -- What a JavaScript date and an ISO 8601 text with four digits for the year can say; "never" is null.
    CONSTRAINT feature_flag_overrides_expires_at_check
        CHECK (expires_at >= TIMESTAMPTZ '0001-01-01 00:00:00+00' AND expires_at < TIMESTAMPTZ '10000-01-01 00:00:00+00'),
    CONSTRAINT feature_flag_overrides_created_at_check CHECK (isfinite(created_at))
);

CREATE TYPE feature_change_kind AS ENUM (
    'FLAG_CREATED', 'FLAG_UPDATED', 'FLAG_DELETED',
    'OVERRIDE_SET', 'OVERRIDE_REMOVED',
    'MEMBERS_ADDED', 'MEMBERS_REMOVED',
    'USER_UPDATED', 'USER_DELETED',
    'RESET'
);

CREATE TABLE feature_changes (
    revision   BIGINT NOT NULL,
    at         TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    actor_id   UUID,
    kind       feature_change_kind NOT NULL,
    flag_key   VARCHAR(100) COLLATE "C",
    user_id    UUID,
    group_name VARCHAR(100) COLLATE "C",
    user_ids   UUID[],
    before     JSONB,
    after      JSONB,

    CONSTRAINT feature_changes_pkey PRIMARY KEY (revision)
);

-- One row: the highest revision of the log, and which database this is.
CREATE TABLE feature_log_head (
    id       INTEGER NOT NULL DEFAULT 1,
    epoch    UUID NOT NULL DEFAULT gen_random_uuid(),
    revision BIGINT NOT NULL DEFAULT 0,

    CONSTRAINT feature_log_head_pkey PRIMARY KEY (id),
    CONSTRAINT feature_log_head_id_check CHECK (id = 1)
);

INSERT INTO feature_log_head DEFAULT VALUES;

CREATE UNIQUE INDEX feature_flags_key_key ON feature_flags (key);
CREATE INDEX user_feature_groups_group_name_idx ON user_feature_groups (group_name);
CREATE INDEX feature_flag_overrides_flag_key_idx ON feature_flag_overrides (flag_key);

-- Without these, deleting a user reads the three tables from end to end to find what they created.
CREATE INDEX feature_flags_created_by_id_idx ON feature_flags (created_by_id);
CREATE INDEX user_feature_groups_added_by_id_idx ON user_feature_groups (added_by_id);
CREATE INDEX feature_flag_overrides_created_by_id_idx ON feature_flag_overrides (created_by_id);

-- What the history of one flag, one user, one group or one actor asks for, newest first.
CREATE INDEX feature_changes_flag_key_revision_idx ON feature_changes (flag_key, revision);
CREATE INDEX feature_changes_user_id_revision_idx ON feature_changes (user_id, revision);
CREATE INDEX feature_changes_group_name_revision_idx ON feature_changes (group_name, revision);
CREATE INDEX feature_changes_actor_id_revision_idx ON feature_changes (actor_id, revision);
CREATE INDEX feature_changes_user_ids_idx ON feature_changes USING GIN (user_ids);

ALTER TABLE feature_flags ADD CONSTRAINT feature_flags_created_by_id_fkey
    FOREIGN KEY (created_by_id) REFERENCES users (id) ON DELETE SET NULL ON UPDATE CASCADE;
ALTER TABLE user_feature_groups ADD CONSTRAINT user_feature_groups_user_id_fkey
    FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE ON UPDATE CASCADE;
ALTER TABLE user_feature_groups ADD CONSTRAINT user_feature_groups_added_by_id_fkey
    FOREIGN KEY (added_by_id) REFERENCES users (id) ON DELETE SET NULL ON UPDATE CASCADE;
ALTER TABLE feature_flag_overrides ADD CONSTRAINT feature_flag_overrides_user_id_fkey
    FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE ON UPDATE CASCADE;
ALTER TABLE feature_flag_overrides ADD CONSTRAINT feature_flag_overrides_flag_key_fkey
    FOREIGN KEY (flag_key) REFERENCES feature_flags (key) ON DELETE CASCADE ON UPDATE CASCADE;
ALTER TABLE feature_flag_overrides ADD CONSTRAINT feature_flag_overrides_created_by_id_fkey
    FOREIGN KEY (created_by_id) REFERENCES users (id) ON DELETE SET NULL ON UPDATE CASCADE;

-- ---------------------------------------------------------------------------------------------------------------------
-- Rows keep their own version and time of change, whoever writes.

CREATE FUNCTION halyard_touch_flag() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.id, NEW.key, NEW.name, NEW.description, NEW.enabled, NEW.percentage, NEW.conditions, NEW.created_at)
        IS DISTINCT FROM
       (OLD.id, OLD.key, OLD.name, OLD.description, OLD.enabled, OLD.percentage, OLD.conditions, OLD.created_at)
    THEN
        NEW.version := OLD.version + 1;
        NEW.updated_at := clock_timestamp();
    ELSE
        NEW.version := OLD.version;
        NEW.updated_at := OLD.updated_at;
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION halyard_touch_user() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.updated_at := CASE WHEN (NEW.id, NEW.attributes) IS DISTINCT FROM (OLD.id, OLD.attributes)
                           THEN clock_timestamp() ELSE OLD.updated_at END;
    RETURN NEW;
END $$;

CREATE TRIGGER halyard_touch BEFORE UPDATE ON feature_flags FOR EACH ROW EXECUTE FUNCTION halyard_touch_flag();
CREATE TRIGGER halyard_touch BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION halyard_touch_user();

-- ---------------------------------------------------------------------------------------------------------------------
-- The change log.

-- Who is at work: the transaction says so with SELECT set_config('halyard.actor', '<uuid>', true).
CREATE FUNCTION halyard_actor() RETURNS uuid LANGUAGE sql STABLE AS
    $$ SELECT nullif(current_setting('halyard.actor', true), '')::uuid $$;

-- ISO 8601 in UTC, to the millisecond, whatever the session's time zone: what JavaScript's toISOString() writes.
CREATE FUNCTION halyard_time(t timestamptz) RETURNS text LANGUAGE sql STABLE AS
    $$ SELECT to_char(t AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') $$;

-- The states that the log keeps, and that readers get.
CREATE FUNCTION halyard_flag_state(f feature_flags) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT jsonb_build_object(
        'id', f.id, 'key', f.key, 'name', f.name, 'description', f.description, 'enabled', f.enabled,
        'percentage', f.percentage, 'conditions', f.conditions, 'version', f.version,
        'createdAt', halyard_time(f.created_at), 'updatedAt', halyard_time(f.updated_at),
        'createdById', f.created_by_id)
$$;

CREATE FUNCTION halyard_override_state(o feature_flag_overrides) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT jsonb_build_object(
        'enabled', o.enabled, 'reason', o.reason, 'expiresAt', halyard_time(o.expires_at),
        'createdAt', halyard_time(o.created_at), 'createdById', o.created_by_id)
$$;

CREATE FUNCTION halyard_user_state(u users) RETURNS jsonb LANGUAGE sql STABLE AS
    $$ SELECT jsonb_build_object('attributes', u.attributes) $$;

-- Writers queue here before any of them holds a data row. Without it, two writers that have locked rows of their own
-- meet at the head row and deadlock; with it, revisions are handed out in the order of commits.
CREATE FUNCTION halyard_lock_log() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    PERFORM FROM feature_log_head WHERE id = 1 FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'The table feature_log_head has lost its row; no change can be logged.';
    END IF;
    RETURN NULL;
END $$;

-- The highest revision. The caller's statement has locked it.
CREATE FUNCTION halyard_log_head() RETURNS bigint LANGUAGE sql VOLATILE SET search_path FROM CURRENT AS
    $$ SELECT revision FROM feature_log_head WHERE id = 1 $$;

-- Moves the head over the rows just logged and hints to the listeners. The payload is the revision alone: the log is
-- the truth, and a payload has a limit.
CREATE FUNCTION halyard_log_advance(logged bigint) RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    head bigint;
BEGIN
    IF logged > 0 THEN
        UPDATE feature_log_head SET revision = revision + logged WHERE id = 1 RETURNING revision INTO head;
        PERFORM pg_notify('halyard_changes', head::text);
    END IF;
END $$;

-- In each function below the rows of one statement are compared by their natural key, so that an UPDATE by any hand,
-- one of keys included, comes out as what it means. Revisions follow the order of keys.

CREATE FUNCTION halyard_log_flags() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    head bigint := halyard_log_head();
    logged bigint;
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO feature_changes (revision, at, actor_id, kind, flag_key, after)
        SELECT head + row_number() OVER (ORDER BY n.key COLLATE "C"), clock_timestamp(), halyard_actor(),
               'FLAG_CREATED', n.key, halyard_flag_state(n)
        FROM new_rows n;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO feature_changes (revision, at, actor_id, kind, flag_key, before)
        SELECT head + row_number() OVER (ORDER BY o.key COLLATE "C"), clock_timestamp(), halyard_actor(),
               'FLAG_DELETED', o.key, halyard_flag_state(o)
        FROM old_rows o;
    ELSE
        INSERT INTO feature_changes (revision, at, actor_id, kind, flag_key, before, after)
        SELECT head + row_number() OVER (ORDER BY coalesce(o.key, n.key) COLLATE "C"), clock_timestamp(), halyard_actor(),
               CASE WHEN o.key IS NULL THEN 'FLAG_CREATED' WHEN n.key IS NULL THEN 'FLAG_DELETED'
                    ELSE 'FLAG_UPDATED' END::feature_change_kind,
               coalesce(o.key, n.key),
               CASE WHEN o.key IS NOT NULL THEN halyard_flag_state(o) END,
               CASE WHEN n.key IS NOT NULL THEN halyard_flag_state(n) END
        FROM old_rows o FULL JOIN new_rows n ON o.key = n.key
        WHERE (o.id, o.name, o.description, o.enabled, o.percentage, o.conditions, o.version, o.created_at)
              IS DISTINCT FROM
              (n.id, n.name, n.description, n.enabled, n.percentage, n.conditions, n.version, n.created_at);
    END IF;
    GET DIAGNOSTICS logged = ROW_COUNT;
    PERFORM halyard_log_advance(logged);
    RETURN NULL;
END $$;

CREATE FUNCTION halyard_log_overrides() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    head bigint := halyard_log_head();
    logged bigint;
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO feature_changes (revision, at, actor_id, kind, flag_key, user_id, after)
        SELECT head + row_number() OVER (ORDER BY n.flag_key COLLATE "C", n.user_id), clock_timestamp(), halyard_actor(),
               'OVERRIDE_SET', n.flag_key, n.user_id, halyard_override_state(n)
        FROM new_rows n;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO feature_changes (revision, at, actor_id, kind, flag_key, user_id, before)
        SELECT head + row_number() OVER (ORDER BY o.flag_key COLLATE "C", o.user_id), clock_timestamp(), halyard_actor(),
               'OVERRIDE_REMOVED', o.flag_key, o.user_id, halyard_override_state(o)
        FROM old_rows o;
    ELSE
        INSERT INTO feature_changes (revision, at, actor_id, kind, flag_key, user_id, before, after)
        SELECT head + row_number() OVER (ORDER BY coalesce(o.flag_key, n.flag_key) COLLATE "C", coalesce(o.user_id, n.user_id)),
               clock_timestamp(), halyard_actor(),
               CASE WHEN n.user_id IS NULL THEN 'OVERRIDE_REMOVED' ELSE 'OVERRIDE_SET' END::feature_change_kind,
               coalesce(o.flag_key, n.flag_key), coalesce(o.user_id, n.user_id),
               CASE WHEN o.user_id IS NOT NULL THEN halyard_override_state(o) END,
               CASE WHEN n.user_id IS NOT NULL THEN halyard_override_state(n) END
        FROM old_rows o FULL JOIN new_rows n ON o.user_id = n.user_id AND o.flag_key = n.flag_key
        WHERE (o.user_id, o.enabled, o.reason, o.expires_at, o.created_at)
              IS DISTINCT FROM
              (n.user_id, n.enabled, n.reason, n.expires_at, n.created_at);
    END IF;
    GET DIAGNOSTICS logged = ROW_COUNT;
    PERFORM halyard_log_advance(logged);
    RETURN NULL;
END $$;

-- A user without attributes decides nothing: creating one is not a change.
CREATE FUNCTION halyard_log_users() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    head bigint := halyard_log_head();
    logged bigint;
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO feature_changes (revision, at, actor_id, kind, user_id, after)
        SELECT head + row_number() OVER (ORDER BY n.id), clock_timestamp(), halyard_actor(),
               'USER_UPDATED', n.id, halyard_user_state(n)
        FROM new_rows n
        WHERE n.attributes <> '{}';
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO feature_changes (revision, at, actor_id, kind, user_id, before)
        SELECT head + row_number() OVER (ORDER BY o.id), clock_timestamp(), halyard_actor(),
               'USER_DELETED', o.id, halyard_user_state(o)
        FROM old_rows o;
    ELSE
        INSERT INTO feature_changes (revision, at, actor_id, kind, user_id, before, after)
        SELECT head + row_number() OVER (ORDER BY coalesce(o.id, n.id)), clock_timestamp(), halyard_actor(),
               CASE WHEN n.id IS NULL THEN 'USER_DELETED' ELSE 'USER_UPDATED' END::feature_change_kind,
               coalesce(o.id, n.id),
               CASE WHEN o.id IS NOT NULL THEN halyard_user_state(o) END,
               CASE WHEN n.id IS NOT NULL THEN halyard_user_state(n) END
        FROM old_rows o FULL JOIN new_rows n ON o.id = n.id
        WHERE n.id IS NULL OR CASE WHEN o.id IS NULL THEN n.attributes <> '{}' ELSE o.attributes <> n.attributes END;
    END IF;
    GET DIAGNOSTICS logged = ROW_COUNT;
    PERFORM halyard_log_advance(logged);
    RETURN NULL;
END $$;

-- One row a group for a whole statement, in slices, so that a million members are a thousand rows.
CREATE FUNCTION halyard_log_memberships() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    head bigint := halyard_log_head();
    slice constant integer := 1000;
    logged bigint;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        INSERT INTO feature_changes (revision, at, actor_id, kind, group_name, user_ids)
        SELECT head + row_number() OVER (ORDER BY group_name COLLATE "C", kind, nth), clock_timestamp(), halyard_actor(),
               kind, group_name, array_agg(user_id ORDER BY user_id)
        FROM (
            SELECT kind, group_name, user_id,
                   (row_number() OVER (PARTITION BY group_name, kind ORDER BY user_id) - 1) / slice AS nth
            FROM (
                SELECT coalesce(o.group_name, n.group_name) AS group_name, coalesce(o.user_id, n.user_id) AS user_id,
                       CASE WHEN n.user_id IS NULL THEN 'MEMBERS_REMOVED' ELSE 'MEMBERS_ADDED' END::feature_change_kind AS kind
                FROM old_rows o FULL JOIN new_rows n ON o.user_id = n.user_id AND o.group_name = n.group_name
                WHERE o.user_id IS NULL OR n.user_id IS NULL
            ) AS changed
        ) AS numbered
        GROUP BY group_name, kind, nth;
    ELSIF TG_OP = 'INSERT' THEN
        INSERT INTO feature_changes (revision, at, actor_id, kind, group_name, user_ids)
        SELECT head + row_number() OVER (ORDER BY group_name COLLATE "C", nth), clock_timestamp(), halyard_actor(),
               'MEMBERS_ADDED', group_name, array_agg(user_id ORDER BY user_id)
        FROM (
            SELECT group_name, user_id, (row_number() OVER (PARTITION BY group_name ORDER BY user_id) - 1) / slice AS nth
            FROM new_rows
        ) AS numbered
        GROUP BY group_name, nth;
    ELSE
        INSERT INTO feature_changes (revision, at, actor_id, kind, group_name, user_ids)
        SELECT head + row_number() OVER (ORDER BY group_name COLLATE "C", nth), clock_timestamp(), halyard_actor(),
               'MEMBERS_REMOVED', group_name, array_agg(user_id ORDER BY user_id)
        FROM (
            SELECT group_name, user_id, (row_number() OVER (PARTITION BY group_name ORDER BY user_id) - 1) / slice AS nth
            FROM old_rows
        ) AS numbered
        GROUP BY group_name, nth;
    END IF;
    GET DIAGNOSTICS logged = ROW_COUNT;
    PERFORM halyard_log_advance(logged);
    RETURN NULL;
END $$;

-- TRUNCATE tells no rows: readers load everything again.
CREATE FUNCTION halyard_log_truncate() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO feature_changes (revision, at, actor_id, kind)
    VALUES (halyard_log_head() + 1, clock_timestamp(), halyard_actor(), 'RESET');
    PERFORM halyard_log_advance(1);
    RETURN NULL;
END $$;

CREATE TRIGGER halyard_lock BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON users
    FOR EACH STATEMENT EXECUTE FUNCTION halyard_lock_log();
CREATE TRIGGER halyard_lock BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON feature_flags
    FOR EACH STATEMENT EXECUTE FUNCTION halyard_lock_log();
CREATE TRIGGER halyard_lock BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON user_feature_groups
    FOR EACH STATEMENT EXECUTE FUNCTION halyard_lock_log();
CREATE TRIGGER halyard_lock BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON feature_flag_overrides
    FOR EACH STATEMENT EXECUTE FUNCTION halyard_lock_log();

CREATE TRIGGER halyard_log_insert AFTER INSERT ON users
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION halyard_log_users();
CREATE TRIGGER halyard_log_update AFTER UPDATE ON users
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION halyard_log_users();
CREATE TRIGGER halyard_log_delete AFTER DELETE ON users
    REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION halyard_log_users();
CREATE TRIGGER halyard_log_truncate AFTER TRUNCATE ON users
    FOR EACH STATEMENT EXECUTE FUNCTION halyard_log_truncate();

CREATE TRIGGER halyard_log_insert AFTER INSERT ON feature_flags
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION halyard_log_flags();
CREATE TRIGGER halyard_log_update AFTER UPDATE ON feature_flags
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION halyard_log_flags();
CREATE TRIGGER halyard_log_delete AFTER DELETE ON feature_flags
    REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION halyard_log_flags();
CREATE TRIGGER halyard_log_truncate AFTER TRUNCATE ON feature_flags
    FOR EACH STATEMENT EXECUTE FUNCTION halyard_log_truncate();

CREATE TRIGGER halyard_log_insert AFTER INSERT ON user_feature_groups
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION halyard_log_memberships();
CREATE TRIGGER halyard_log_update AFTER UPDATE ON user_feature_groups
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION halyard_log_memberships();
CREATE TRIGGER halyard_log_delete AFTER DELETE ON user_feature_groups
    REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION halyard_log_memberships();
CREATE TRIGGER halyard_log_truncate AFTER TRUNCATE ON user_feature_groups
    FOR EACH STATEMENT EXECUTE FUNCTION halyard_log_truncate();

CREATE TRIGGER halyard_log_insert AFTER INSERT ON feature_flag_overrides
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION halyard_log_overrides();
CREATE TRIGGER halyard_log_update AFTER UPDATE ON feature_flag_overrides
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION halyard_log_overrides();
CREATE TRIGGER halyard_log_delete AFTER DELETE ON feature_flag_overrides
    REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION halyard_log_overrides();
CREATE TRIGGER halyard_log_truncate AFTER TRUNCATE ON feature_flag_overrides
    FOR EACH STATEMENT EXECUTE FUNCTION halyard_log_truncate();
