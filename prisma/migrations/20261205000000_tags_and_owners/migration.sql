-- What people find flags by: tags, an owner, and how long the flag is expected to be needed. None of them decides an answer.
-- docs/decisions/0043-finding.md explains.

-- Writers lock users first, then flags: the other order could end in a deadlock with one of them.
LOCK TABLE users IN SHARE MODE;

ALTER TABLE feature_flags
    ADD COLUMN tags varchar(50)[] COLLATE "C" NOT NULL DEFAULT '{}',
    ADD COLUMN owner varchar(200) COLLATE "C",
    ADD COLUMN expected_until timestamptz(3),
    ADD CONSTRAINT feature_flags_tags_check
        CHECK (cardinality(tags) <= 20 AND array_position(tags, NULL) IS NULL AND array_position(tags, '') IS NULL),
    ADD CONSTRAINT feature_flags_owner_check CHECK (owner <> ''),
    -- What a JavaScript date and an ISO 8601 text with four digits for the year can say; "no date" is null.
    ADD CONSTRAINT feature_flags_expected_until_check
        CHECK (expected_until >= TIMESTAMPTZ '0001-01-01 00:00:00+00' AND expected_until < TIMESTAMPTZ '10000-01-01 00:00:00+00');

CREATE INDEX feature_flags_tags_idx ON feature_flags USING GIN (tags);

-- Tags are a set: each once and sorted, whoever writes. The same tags in another order are no change.
CREATE FUNCTION halyard_sort_tags() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    NEW.tags := ARRAY(SELECT tag FROM (SELECT DISTINCT unnest(NEW.tags) AS tag) AS given ORDER BY tag COLLATE "C");
    RETURN NEW;
END $$;

-- Before `halyard_touch`, in the order of their names.
CREATE TRIGGER halyard_sort_tags BEFORE INSERT OR UPDATE ON feature_flags
    FOR EACH ROW WHEN (cardinality(NEW.tags) > 1) EXECUTE FUNCTION halyard_sort_tags();
ALTER TABLE feature_flags ENABLE ALWAYS TRIGGER halyard_sort_tags;

CREATE OR REPLACE FUNCTION halyard_flag_state(f feature_flags) RETURNS jsonb LANGUAGE sql STABLE
    SET search_path FROM CURRENT AS $$
    SELECT jsonb_build_object(
        'id', f.id, 'key', f.key, 'name', f.name, 'description', f.description, 'enabled', f.enabled,
        'percentage', f.percentage, 'conditions', f.conditions, 'type', f.type, 'variants', f.variants,
        'offVariant', f.off_variant, 'rules', f.rules, 'bucketBy', f.bucket_by,
        'tags', f.tags, 'owner', f.owner, 'expectedUntil', halyard_time(f.expected_until), 'version', f.version,
        'createdAt', halyard_time(f.created_at), 'updatedAt', halyard_time(f.updated_at),
        'createdById', f.created_by_id)
$$;

-- Users are listed by the id that they are known by. Those who are known by a text have an index on it already.
CREATE INDEX users_uuid_text_idx ON users ((id::text) COLLATE "C") WHERE external_id IS NULL;

-- New columns change the digests of all rows.
SELECT halyard_accept('feature_flags');
