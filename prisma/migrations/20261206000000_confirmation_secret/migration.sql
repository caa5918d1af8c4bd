-- The secret that signs confirmations of changes on protected servers. To make all confirmations invalid, replace it and restart the
-- nodes. docs/decisions/0044-preview-and-confirmation.md explains.
INSERT INTO halyard_secrets (name, value)
VALUES ('confirmation', decode(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'hex'));
