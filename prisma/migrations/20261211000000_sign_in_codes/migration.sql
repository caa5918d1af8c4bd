-- Codes of `halyard console` that were exchanged for a token, so that no node takes one again. Logged, because a crash of the server must
-- not make a used code new. docs/decisions/0051-signing-in-to-the-console.md explains.
CREATE TABLE sign_in_codes (
    id      UUID NOT NULL,
    used_at TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT sign_in_codes_pkey PRIMARY KEY (id)
);
