-- Revisions alone do not prove that a log is the one that a reader has followed: after the restore of an older backup
-- another history grows past the same numbers. docs/decisions/0022-histories-prove-their-identity.md explains.

-- What no other history has. Entries made before get theirs now.
ALTER TABLE feature_changes ADD COLUMN nonce UUID NOT NULL DEFAULT gen_random_uuid();

-- The server's timeline, which is another one from the promotion of a standby or a recovery to a point in time on. Null on a
-- standby, and where a hosted server does not tell.
CREATE FUNCTION halyard_timeline() RETURNS text LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF pg_is_in_recovery() THEN
        RETURN NULL;
    END IF;
    RETURN left(pg_walfile_name(pg_current_wal_lsn()), 8);
EXCEPTION WHEN OTHERS THEN
    RETURN NULL;
END $$;
