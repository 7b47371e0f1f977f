-- Declared here while nothing went out to that integration: created there once something does.
CREATE TABLE kept_back (
    integration_id TEXT    NOT NULL REFERENCES integrations ON DELETE CASCADE,
    incident_id    INTEGER NOT NULL REFERENCES incidents ON DELETE CASCADE,
    PRIMARY KEY (integration_id, incident_id)
) STRICT;
