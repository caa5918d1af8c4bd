-- What counts as a change of a row is decided by every column but a listed few, so that a new column cannot be forgotten.

-- A row without what is no change by itself: who made it or added it, and when; its version and its time of change, which
-- follow from the rest. A test fails for a column that is neither listed here nor known to be logged.
CREATE FUNCTION halyard_compared(row_as_json jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE AS
    $$ SELECT row_as_json - '{created_by_id,added_by_id,added_at,version,updated_at}'::text[] $$;

CREATE OR REPLACE FUNCTION halyard_touch_flag() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF halyard_compared(to_jsonb(NEW)) <> halyard_compared(to_jsonb(OLD)) THEN
        NEW.version := OLD.version + 1;
        NEW.updated_at := clock_timestamp();
    ELSE
        NEW.version := OLD.version;
        NEW.updated_at := OLD.updated_at;
    END IF;
    RETURN NEW;
END $$;

CREATE OR REPLACE FUNCTION halyard_touch_user() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    NEW.updated_at := CASE WHEN halyard_compared(to_jsonb(NEW)) <> halyard_compared(to_jsonb(OLD))
                           THEN clock_timestamp() ELSE OLD.updated_at END;
    RETURN NEW;
END $$;

CREATE OR REPLACE FUNCTION halyard_log_flags() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
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
        WHERE halyard_compared(to_jsonb(o)) IS DISTINCT FROM halyard_compared(to_jsonb(n));
    END IF;
    GET DIAGNOSTICS logged = ROW_COUNT;
    PERFORM halyard_log_advance(logged);
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION halyard_log_overrides() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
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
        WHERE halyard_compared(to_jsonb(o)) IS DISTINCT FROM halyard_compared(to_jsonb(n));
    END IF;
    GET DIAGNOSTICS logged = ROW_COUNT;
    PERFORM halyard_log_advance(logged);
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION halyard_log_users() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
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
        WHERE CASE WHEN o.id IS NULL THEN n.attributes <> '{}'
                   ELSE halyard_compared(to_jsonb(o)) IS DISTINCT FROM halyard_compared(to_jsonb(n)) END;
    END IF;
    GET DIAGNOSTICS logged = ROW_COUNT;
    PERFORM halyard_log_advance(logged);
    RETURN NULL;
END $$;

-- A member whose row has changed otherwise is named as added once more.
CREATE OR REPLACE FUNCTION halyard_log_memberships() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
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
                WHERE halyard_compared(to_jsonb(o)) IS DISTINCT FROM halyard_compared(to_jsonb(n))
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
