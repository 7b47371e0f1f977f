-- What people and programs know by its number keeps it for good: AUTOINCREMENT gives the number of
-- a row that is gone to no other. No ALTER adds it, so the tables are made anew.
CREATE TABLE service_mappings_anew (
    id             INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    integration_id TEXT    NOT NULL REFERENCES integrations ON DELETE CASCADE,
    service_id     TEXT    NOT NULL CHECK (service_id <> ''),
    incident_type  TEXT    NOT NULL CHECK (incident_type <> ''),
    created_at     INTEGER NOT NULL,
    UNIQUE (integration_id, service_id)
) STRICT;
INSERT INTO service_mappings_anew (id, integration_id, service_id, incident_type, created_at)
SELECT id, integration_id, service_id, incident_type, created_at FROM service_mappings ORDER BY id;
DROP TABLE service_mappings;
ALTER TABLE service_mappings_anew RENAME TO service_mappings;

CREATE TABLE conflicts_anew (
    id             INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    link_id        INTEGER NOT NULL REFERENCES links ON DELETE CASCADE,
    field          TEXT    NOT NULL,
    status         TEXT    NOT NULL CHECK (status IN ('pending', 'resolved', 'ignored')),
    strategy       TEXT    NOT NULL,
    base_platform  TEXT,
    base_external  TEXT,
    platform       TEXT    NOT NULL,
    platform_at    INTEGER NOT NULL,
    platform_by    TEXT,
    external       TEXT    NOT NULL,
    external_at    INTEGER NOT NULL,
    external_by    TEXT,
    winner         TEXT CHECK (winner IN ('platform', 'external')),
    because        TEXT    NOT NULL,
    resolved_by    TEXT,
    created_at     INTEGER NOT NULL,
    resolved_at    INTEGER,
    quiet_until    INTEGER,
    rule_owner     TEXT CHECK (rule_owner IN ('platform', 'external')),
    rule_priority  INTEGER,
    rule_strict    INTEGER CHECK (rule_strict IN (0, 1)),
    CHECK ((status = 'pending') = (resolved_at IS NULL))
) STRICT;
INSERT INTO conflicts_anew (id, link_id, field, status, strategy, base_platform, base_external,
                            platform, platform_at, platform_by, external, external_at, external_by,
                            winner, because, resolved_by, created_at, resolved_at, quiet_until,
                            rule_owner, rule_priority, rule_strict)
SELECT id, link_id, field, status, strategy, base_platform, base_external,
       platform, platform_at, platform_by, external, external_at, external_by,
       winner, because, resolved_by, created_at, resolved_at, quiet_until,
       rule_owner, rule_priority, rule_strict
  FROM conflicts ORDER BY id;
DROP TABLE conflicts;
ALTER TABLE conflicts_anew RENAME TO conflicts;
CREATE UNIQUE INDEX conflicts_pending ON conflicts (link_id, field) WHERE status = 'pending';

CREATE TABLE dead_letters_anew (
    id             INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    integration_id TEXT    NOT NULL REFERENCES integrations ON DELETE CASCADE,
    link_id        INTEGER REFERENCES links ON DELETE CASCADE,
    inbox_id       INTEGER REFERENCES inbox ON DELETE CASCADE, -- the delivery that this was
    direction      TEXT    NOT NULL CHECK (direction IN ('inbound', 'outbound')),
    field          TEXT,
    code           TEXT    NOT NULL,
    message        TEXT    NOT NULL,
    hint           TEXT    NOT NULL DEFAULT '',
    attempts       INTEGER NOT NULL,
    body           TEXT,
    created_at     INTEGER NOT NULL,
    CHECK (direction = 'inbound' OR link_id IS NOT NULL)
) STRICT;
INSERT INTO dead_letters_anew (id, integration_id, link_id, inbox_id, direction, field, code,
                               message, hint, attempts, body, created_at)
SELECT id, integration_id, link_id, inbox_id, direction, field, code,
       message, hint, attempts, body, created_at
  FROM dead_letters ORDER BY id;
DROP TABLE dead_letters;
ALTER TABLE dead_letters_anew RENAME TO dead_letters;
CREATE INDEX dead_letters_of ON dead_letters (inbox_id) WHERE inbox_id IS NOT NULL;
