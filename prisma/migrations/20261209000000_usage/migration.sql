-- How often flags are asked for by name: docs/decisions/0048-usage-and-staleness.md explains. None of these tables is logged, and
-- none refers to flags: counts must never make a change of a flag wait. Counts of deleted flags are pruned.

CREATE TABLE flag_usage (
    flag_id UUID        NOT NULL,
    -- The beginning of the hour, in UTC.
    hour    TIMESTAMPTZ(3) NOT NULL,
    reason  VARCHAR(30)  COLLATE "C" NOT NULL,
    -- Empty: the flag had no variant, because its stored variants or rules are not valid.
    variant VARCHAR(100) COLLATE "C" NOT NULL,
    count   BIGINT      NOT NULL,
    -- When the last of these questions came.
    last_at TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT flag_usage_pkey PRIMARY KEY (flag_id, hour, reason, variant)
);

CREATE INDEX flag_usage_hour_idx ON flag_usage (hour);

-- Answers with all flags name none. Each hour in which some node counts has a row.
CREATE TABLE map_usage (
    hour      TIMESTAMPTZ(3) NOT NULL,
    count     BIGINT  NOT NULL,
    -- Whether flags were read without being counted: by anonymous callers, or through streams.
    uncounted BOOLEAN NOT NULL,

    CONSTRAINT map_usage_pkey PRIMARY KEY (hour)
);

-- The last batch of each process. A batch that comes again, because nobody knows whether it was stored, is not added again.
CREATE TABLE usage_writers (
    id    UUID   NOT NULL,
    batch BIGINT NOT NULL,
    at    TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT usage_writers_pkey PRIMARY KEY (id)
);
