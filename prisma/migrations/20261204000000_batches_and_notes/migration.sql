-- A change says why it was made, and which changes were made together. docs/decisions/0041-batches-and-notes.md explains.
--
-- The functions that write the log stay as they are: the columns' defaults read the settings of the transaction, so every entry
-- has them, whoever writes it.

-- Why the change is made: the transaction says so with SELECT set_config('halyard.note', '<text>', true).
CREATE FUNCTION halyard_note() RETURNS text LANGUAGE sql STABLE AS
    $$ SELECT nullif(current_setting('halyard.note', true), '') $$;

-- The revision that the change goes back to: SELECT set_config('halyard.reverts', '<revision>', true).
CREATE FUNCTION halyard_reverts() RETURNS bigint LANGUAGE sql STABLE AS
    $$ SELECT nullif(current_setting('halyard.reverts', true), '')::bigint $$;

-- The batch of the change: SELECT set_config('halyard.batch', '<uuid>', true). A transaction that does not say it gets one with
-- its first change, and all its later changes share it.
CREATE FUNCTION halyard_batch() RETURNS uuid LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    stated text := nullif(current_setting('halyard.batch', true), '');
BEGIN
    RETURN coalesce(stated, set_config('halyard.batch', gen_random_uuid()::text, true))::uuid;
END $$;

-- What was changed together before is not known: each of those entries is a batch of its own.
ALTER TABLE feature_changes
    ADD COLUMN note VARCHAR(500),
    ADD COLUMN batch UUID NOT NULL DEFAULT gen_random_uuid(),
    ADD COLUMN reverts BIGINT,
    ADD CONSTRAINT feature_changes_note_check CHECK (note <> ''),
    ADD CONSTRAINT feature_changes_reverts_check CHECK (reverts >= 1);
ALTER TABLE feature_changes
    ALTER COLUMN note SET DEFAULT halyard_note(),
    ALTER COLUMN batch SET DEFAULT halyard_batch(),
    ALTER COLUMN reverts SET DEFAULT halyard_reverts();

CREATE INDEX feature_changes_batch_revision_idx ON feature_changes (batch, revision);

-- Ends a transaction of several writes if one of them cannot be done, or if what they stand on was changed. Programs know it by
-- its code; the message is the fault. Null: there is no fault.
CREATE FUNCTION halyard_refuse(fault jsonb) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    IF fault IS NOT NULL THEN
        RAISE EXCEPTION '%', fault USING ERRCODE = 'HLY02';
    END IF;
    RETURN true;
END $$;
