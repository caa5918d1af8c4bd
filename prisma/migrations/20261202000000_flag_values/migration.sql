-- Flags carry values: a type, variants, rules, and what their percentages hash. An override may name a variant.

CREATE TYPE feature_value_type AS ENUM ('BOOLEAN', 'STRING', 'NUMBER', 'OBJECT');

ALTER TABLE feature_flags
    ADD COLUMN type feature_value_type NOT NULL DEFAULT 'BOOLEAN',
    ADD COLUMN variants jsonb NOT NULL DEFAULT '[]',
    ADD COLUMN off_variant varchar(100) NOT NULL DEFAULT 'off',
    ADD COLUMN rules jsonb NOT NULL DEFAULT '[]',
    ADD COLUMN bucket_by varchar(100),
    ADD CONSTRAINT feature_flags_variants_check CHECK (jsonb_typeof(variants) = 'array'),
    ADD CONSTRAINT feature_flags_off_variant_check CHECK (off_variant <> ''),
    ADD CONSTRAINT feature_flags_rules_check CHECK (jsonb_typeof(rules) = 'array'),
    ADD CONSTRAINT feature_flags_bucket_by_check CHECK (bucket_by <> '');

ALTER TABLE feature_flag_overrides
    ADD COLUMN variant varchar(100),
    ADD CONSTRAINT feature_flag_overrides_variant_check CHECK (variant <> '');

CREATE OR REPLACE FUNCTION halyard_flag_state(f feature_flags) RETURNS jsonb LANGUAGE sql STABLE
    SET search_path FROM CURRENT AS $$
    SELECT jsonb_build_object(
        'id', f.id, 'key', f.key, 'name', f.name, 'description', f.description, 'enabled', f.enabled,
        'percentage', f.percentage, 'conditions', f.conditions, 'type', f.type, 'variants', f.variants,
        'offVariant', f.off_variant, 'rules', f.rules, 'bucketBy', f.bucket_by, 'version', f.version,
        'createdAt', halyard_time(f.created_at), 'updatedAt', halyard_time(f.updated_at),
        'createdById', f.created_by_id)
$$;

CREATE OR REPLACE FUNCTION halyard_override_state(o feature_flag_overrides) RETURNS jsonb LANGUAGE sql STABLE
    SET search_path FROM CURRENT AS $$
    SELECT jsonb_build_object(
        'enabled', o.enabled, 'variant', o.variant, 'reason', o.reason, 'expiresAt', halyard_time(o.expires_at),
        'createdAt', halyard_time(o.created_at), 'createdById', o.created_by_id)
$$;

-- New columns change the digests of all rows.
SELECT halyard_accept('feature_flags');
SELECT halyard_accept('feature_flag_overrides');
