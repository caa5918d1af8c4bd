-- The members of a group and the overrides of a flag are read page by page, sorted by user, from any place on: each page reads
-- its own rows and no others. Each index does the work of the one that it replaces as well.
CREATE INDEX user_feature_groups_group_name_user_id_idx ON user_feature_groups (group_name, user_id);
DROP INDEX user_feature_groups_group_name_idx;
CREATE INDEX feature_flag_overrides_flag_key_user_id_idx ON feature_flag_overrides (flag_key, user_id);
DROP INDEX feature_flag_overrides_flag_key_idx;
