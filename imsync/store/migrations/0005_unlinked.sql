-- A link that a person undid stays as *unlinked*, and is not in the way of another. No ALTER
-- changes a CHECK or a UNIQUE, so the table is made anew under the same name.
CREATE TABLE links_anew (
    id                INTEGER NOT NULL PRIMARY KEY,
    integration_id    TEXT    NOT NULL REFERENCES integrations ON DELETE CASCADE,
    incident_id       INTEGER NOT NULL REFERENCES incidents ON DELETE CASCADE,
    state             TEXT    NOT NULL
                      CHECK (state IN ('creating', 'linked', 'gone', 'unlinked')),
    external_id       TEXT,
    external_url      TEXT,
    description_note  TEXT, -- the note there that carries the description
    created_at        INTEGER NOT NULL,
    last_observed_at  INTEGER,
    last_confirmed_at INTEGER,
    service_id        TEXT, -- where it was asked to be created: what to look through after doubt
    CHECK (state IN ('creating', 'unlinked') OR external_id IS NOT NULL)
) STRICT;
INSERT INTO links_anew (id, integration_id, incident_id, state, external_id, external_url,
                        description_note, created_at, last_observed_at, last_confirmed_at,
                        service_id)
SELECT id, integration_id, incident_id, state, external_id, external_url,
       description_note, created_at, last_observed_at, last_confirmed_at, service_id
  FROM links;
DROP TABLE links;
ALTER TABLE links_anew RENAME TO links;
CREATE INDEX links_of ON links (incident_id);
-- Never a duplicate, on either side.
CREATE UNIQUE INDEX links_incident ON links (integration_id, incident_id)
    WHERE state <> 'unlinked';
CREATE UNIQUE INDEX links_external ON links (integration_id, external_id)
    WHERE state <> 'unlinked';
CREATE INDEX links_undone ON links (integration_id, external_id) WHERE state = 'unlinked';
