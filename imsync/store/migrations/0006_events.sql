-- What happened, in the order in which it was committed: what a person watching sees.
-- The newest is never deleted, so no number is used twice and a stream can be resumed by it.
CREATE TABLE events (
    id             INTEGER NOT NULL PRIMARY KEY,
    at             INTEGER NOT NULL, -- when it happened, which is not always when we learnt of it
    type           TEXT    NOT NULL,
    incident_id    INTEGER,
    integration_id TEXT,
    integration    TEXT, -- its slug then: an event outlives what it tells of
    data           TEXT    NOT NULL,
    CHECK (incident_id IS NOT NULL OR integration_id IS NOT NULL),
    CHECK ((integration_id IS NULL) = (integration IS NULL))
) STRICT;
