-- A revert and an undo ask whether all data was replaced since: without this they would read the whole log for it.
CREATE INDEX feature_changes_resets_idx ON feature_changes (revision) WHERE kind = 'RESET';
