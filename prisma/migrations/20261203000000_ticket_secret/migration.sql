-- The secrets of this database that all nodes share. `ofrep_ticket` signs the tickets that open event streams; to make all of
-- them invalid, replace it and restart the nodes. docs/decisions/0038-ofrep.md explains.
CREATE TABLE halyard_secrets (
    name  VARCHAR(100) PRIMARY KEY,
    value BYTEA NOT NULL
);

INSERT INTO halyard_secrets (name, value)
VALUES ('ofrep_ticket', decode(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'hex'));
