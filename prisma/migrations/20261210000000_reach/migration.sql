-- What nodes tell one another while somebody watches how far a change has come: docs/decisions/0049-receipts-and-audience.md explains.
-- UNLOGGED, because a note counts for some seconds: after a crash of the server the table is empty, and nothing is lost.

CREATE UNLOGGED TABLE node_notes (
    -- The node has this id as long as it runs.
    node   UUID  NOT NULL,
    -- What its clients ask of all nodes.
    asks   JSONB,
    -- What it says to all that is asked.
    answer JSONB,
    at     TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT node_notes_pkey PRIMARY KEY (node)
);
