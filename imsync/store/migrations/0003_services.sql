-- Which services there come in, as which incident type, and where incidents of a type go.
CREATE TABLE service_mappings (
    id             INTEGER NOT NULL PRIMARY KEY,
    integration_id TEXT    NOT NULL REFERENCES integrations ON DELETE CASCADE,
    service_id     TEXT    NOT NULL CHECK (service_id <> ''),
    incident_type  TEXT    NOT NULL CHECK (incident_type <> ''),
    created_at     INTEGER NOT NULL,
    UNIQUE (integration_id, service_id)
) STRICT;

-- Incidents there that fit no mapping: not taken in, and counted.
CREATE TABLE left_alone (
    integration_id TEXT    NOT NULL REFERENCES integrations ON DELETE CASCADE,
    external_id    TEXT    NOT NULL,
    service_id     TEXT,
    seen_at        INTEGER NOT NULL,
    PRIMARY KEY (integration_id, external_id)
) STRICT;

-- Notes of ours that stand there too: what comes back under these ids is no news.
CREATE TABLE notes_sent (
    link_id     INTEGER NOT NULL REFERENCES links ON DELETE CASCADE,
    entry_id    INTEGER NOT NULL REFERENCES timeline ON DELETE CASCADE,
    external_id TEXT    NOT NULL,
    PRIMARY KEY (link_id, entry_id)
) STRICT;
CREATE INDEX notes_sent_by_id ON notes_sent (external_id);

-- A sweep that was stopped because it would have changed very much: a person is asked.
CREATE TABLE brakes (
    integration_id TEXT    NOT NULL PRIMARY KEY REFERENCES integrations ON DELETE CASCADE,
    at             INTEGER NOT NULL,
    would_change   INTEGER NOT NULL,
    met            INTEGER NOT NULL
) STRICT;

-- What was open there before the integration was: taken in all, of mapped services, or none.
ALTER TABLE integrations ADD COLUMN import_open TEXT NOT NULL DEFAULT 'none'
    CHECK (import_open IN ('all', 'mapped', 'none'));
-- How many incidents were open there at the last sweep.
ALTER TABLE integrations ADD COLUMN open_there INTEGER;
