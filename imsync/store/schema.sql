-- The whole database as it is now. A new one is made from this file; older ones climb
-- the numbered migrations. A test holds both to the same result.
--
-- Times are milliseconds since 1970 UTC. Field values are JSON text ('"open"', 'null'),
-- so that a NULL in a base or an observation can mean "never agreed", "never seen".

CREATE TABLE integrations (
    id                 TEXT    NOT NULL PRIMARY KEY,
    slug               TEXT    NOT NULL UNIQUE,
    name               TEXT    NOT NULL,
    integration_type   TEXT    NOT NULL,
    organization_id    TEXT,
    base_url           TEXT    NOT NULL,
    token              TEXT, -- sealed: store/sealing.py
    from_email         TEXT,
    default_service    TEXT,
    sync_direction     TEXT    NOT NULL
                       CHECK (sync_direction IN ('bidirectional', 'inbound', 'outbound', 'none')),
    conflict_strategy  TEXT    NOT NULL
                       CHECK (conflict_strategy IN
                              ('last-write-wins', 'ownership-priority', 'manual-review')),
    sync_escalations   INTEGER NOT NULL CHECK (sync_escalations IN (0, 1)),
    sync_notes         INTEGER NOT NULL CHECK (sync_notes IN (0, 1)),
    rate_limit         INTEGER NOT NULL CHECK (rate_limit BETWEEN 1 AND 100000), -- a minute
    backoff_multiplier REAL    NOT NULL CHECK (backoff_multiplier BETWEEN 1 AND 100),
    enabled            INTEGER NOT NULL CHECK (enabled IN (0, 1)),
    suspended_because  TEXT,
    clock_offset       INTEGER NOT NULL DEFAULT 0, -- ms the external clock is ahead of ours
    last_delivery_at   INTEGER,
    last_sweep_at      INTEGER,
    log_read_to        INTEGER, -- the external log has been read up to here
    refused_signatures INTEGER NOT NULL DEFAULT 0,
    drift_healed       INTEGER NOT NULL DEFAULT 0,
    created_at         INTEGER NOT NULL,
    updated_at         INTEGER NOT NULL,
    -- What was open there before the integration was: taken in all, of mapped services, or none.
    import_open        TEXT NOT NULL DEFAULT 'none'
    CHECK (import_open IN ('all', 'mapped', 'none')),
    open_there         INTEGER, -- how many incidents were open there at the last sweep
    refused_before     INTEGER NOT NULL DEFAULT 0 -- of refused_signatures, those before the last good delivery
) STRICT;

-- Several at once while one is being rotated.
CREATE TABLE webhook_secrets (
    integration_id  TEXT    NOT NULL REFERENCES integrations ON DELETE CASCADE,
    secret          TEXT    NOT NULL CHECK (secret <> ''), -- sealed
    created_at      INTEGER NOT NULL,
    subscription_id TEXT, -- which signs with it; NULL: given by hand
    expires_at      INTEGER, -- when it goes, if it is to go
    PRIMARY KEY (integration_id, secret)
) STRICT;

-- The webhook subscription of an integration, as it was last seen.
CREATE TABLE subscriptions (
    integration_id TEXT    NOT NULL PRIMARY KEY REFERENCES integrations ON DELETE CASCADE,
    external_id    TEXT, -- NULL: none is known
    url            TEXT,
    state          TEXT    NOT NULL
                   CHECK (state IN ('unknown', 'none', 'active', 'disabled', 'deleted')),
    because        TEXT    NOT NULL, -- why it is not active, or not known
    installed_at   INTEGER, -- NULL: made by hand
    checked_at     INTEGER, -- NULL: not looked at yet
    times_disabled INTEGER NOT NULL,
    times_enabled  INTEGER NOT NULL,
    times_deleted  INTEGER NOT NULL,
    disabled_at    INTEGER, -- when it was last found so
    enabled_at     INTEGER,
    CHECK ((external_id IS NULL) = (url IS NULL)),
    CHECK (external_id IS NOT NULL OR state IN ('unknown', 'none'))
) STRICT;

-- Those that a newer one has replaced, until they are deleted there.
CREATE TABLE replaced_subscriptions (
    integration_id TEXT    NOT NULL REFERENCES integrations ON DELETE CASCADE,
    external_id    TEXT    NOT NULL,
    replaced_at    INTEGER NOT NULL,
    PRIMARY KEY (integration_id, external_id)
) STRICT;

-- Who was on call when it was last asked.
CREATE TABLE oncall_cache (
    integration_id TEXT    NOT NULL REFERENCES integrations ON DELETE CASCADE,
    kind           TEXT    NOT NULL CHECK (kind IN ('schedule', 'escalation_policy')),
    external_id    TEXT    NOT NULL,
    answer         TEXT    NOT NULL, -- JSON: a list of shifts
    checked_at     INTEGER NOT NULL,
    PRIMARY KEY (integration_id, kind, external_id)
) STRICT;

-- Only what differs from the default owners.
CREATE TABLE field_rules (
    integration_id TEXT    NOT NULL REFERENCES integrations ON DELETE CASCADE,
    field          TEXT    NOT NULL,
    owner          TEXT    NOT NULL CHECK (owner IN ('platform', 'external')),
    priority       INTEGER NOT NULL,
    strict         INTEGER NOT NULL CHECK (strict IN (0, 1)),
    PRIMARY KEY (integration_id, field)
) STRICT;

-- Value maps as people set them: only what differs from the connector's own.
-- `way` is 'out' for here -> there, 'in' for there -> here.
CREATE TABLE value_maps (
    integration_id TEXT NOT NULL REFERENCES integrations ON DELETE CASCADE,
    map            TEXT NOT NULL CHECK (map IN ('urgency', 'priority', 'status')),
    way            TEXT NOT NULL CHECK (way IN ('out', 'in')),
    value          TEXT NOT NULL,
    becomes        TEXT NOT NULL,
    PRIMARY KEY (integration_id, map, way, value)
) STRICT;

-- Which services there come in, as which incident type, and where incidents of a type go.
CREATE TABLE service_mappings (
    id             INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
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

-- A sweep that was stopped because it would have changed very much: a person is asked.
CREATE TABLE brakes (
    integration_id TEXT    NOT NULL PRIMARY KEY REFERENCES integrations ON DELETE CASCADE,
    at             INTEGER NOT NULL,
    would_change   INTEGER NOT NULL,
    met            INTEGER NOT NULL
) STRICT;

-- Names of the other side, looked up once: users, policies, priorities.
-- An external_id of NULL: asked for, and there is no such thing.
CREATE TABLE directory (
    integration_id TEXT    NOT NULL REFERENCES integrations ON DELETE CASCADE,
    kind           TEXT    NOT NULL,
    name           TEXT    NOT NULL,
    name_key       TEXT    NOT NULL, -- the name without its case
    external_id    TEXT,
    checked_at     INTEGER NOT NULL,
    PRIMARY KEY (integration_id, kind, name_key)
) STRICT;
CREATE INDEX directory_by_id ON directory (integration_id, kind, external_id);

CREATE TABLE incidents (
    id              INTEGER NOT NULL PRIMARY KEY,
    organization_id TEXT,
    incident_type   TEXT,
    version         INTEGER NOT NULL DEFAULT 1,
    created_at      INTEGER NOT NULL,
    updated_at      INTEGER NOT NULL
) STRICT;

-- The one home of what is synced: each field's value, since when, and by whom.
CREATE TABLE incident_fields (
    incident_id INTEGER NOT NULL REFERENCES incidents ON DELETE CASCADE,
    field       TEXT    NOT NULL,
    value       TEXT,
    at          INTEGER NOT NULL,
    by          TEXT,
    PRIMARY KEY (incident_id, field),
    CHECK (field IN ('title', 'description', 'severity', 'status', 'assigned_to',
                     'escalation_policy')),
    CHECK (field <> 'title' OR value IS NOT NULL AND value <> ''),
    CHECK (field <> 'severity'
           OR value IS NOT NULL AND value IN ('SEV-1', 'SEV-2', 'SEV-3', 'SEV-4')),
    CHECK (field <> 'status'
           OR value IS NOT NULL AND value IN ('open', 'mitigated', 'resolved', 'closed'))
) STRICT;
CREATE INDEX incident_fields_by_value ON incident_fields (field, value)
    WHERE field IN ('status', 'severity');

CREATE TABLE timeline (
    id             INTEGER NOT NULL PRIMARY KEY,
    incident_id    INTEGER NOT NULL REFERENCES incidents ON DELETE CASCADE,
    at             INTEGER NOT NULL,
    kind           TEXT    NOT NULL
                   CHECK (kind IN ('declared', 'changed', 'note', 'escalated', 'linked')),
    by             TEXT,
    text           TEXT,
    field          TEXT,
    old            TEXT,
    new            TEXT,
    integration_id TEXT REFERENCES integrations ON DELETE SET NULL, -- NULL: it happened here
    external_id    TEXT, -- of the note there that this is
    CHECK ((kind = 'changed') = (field IS NOT NULL))
) STRICT;
CREATE INDEX timeline_of ON timeline (incident_id, id);

-- "This platform incident is that external incident."
--     creating --> linked --> gone, and from each of them --> unlinked, by a person
-- What was unlinked stays, with its conflicts and its journal; it is no link any more, and
-- says of its external incident that it is not to be taken in by itself.
CREATE TABLE links (
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
CREATE INDEX links_of ON links (incident_id);
-- Never a duplicate, on either side.
CREATE UNIQUE INDEX links_incident ON links (integration_id, incident_id)
    WHERE state <> 'unlinked';
CREATE UNIQUE INDEX links_external ON links (integration_id, external_id)
    WHERE state <> 'unlinked';
CREATE INDEX links_undone ON links (integration_id, external_id) WHERE state = 'unlinked';

CREATE TABLE link_fields (
    link_id        INTEGER NOT NULL REFERENCES links ON DELETE CASCADE,
    field          TEXT    NOT NULL,
    base_platform  TEXT, -- NULL: never agreed
    base_external  TEXT, -- NULL: never agreed
    base_at        INTEGER NOT NULL DEFAULT 0, -- the platform edit that the base stands for
    external       TEXT, -- NULL: never seen
    external_at    INTEGER,
    external_by    TEXT,
    as_of          INTEGER,
    their_at       INTEGER NOT NULL DEFAULT 0, -- the latest edit of theirs that is known of
    blocked        TEXT, -- why it stands still until either side changes
    because        TEXT NOT NULL DEFAULT '', -- the last decision's reason
    PRIMARY KEY (link_id, field),
    CHECK ((external IS NULL) = (as_of IS NULL) AND (external IS NULL) = (external_at IS NULL))
) STRICT;

-- Notes of ours that stand there too: what comes back under these ids is no news.
CREATE TABLE notes_sent (
    link_id     INTEGER NOT NULL REFERENCES links ON DELETE CASCADE,
    entry_id    INTEGER NOT NULL REFERENCES timeline ON DELETE CASCADE,
    external_id TEXT    NOT NULL,
    PRIMARY KEY (link_id, entry_id)
) STRICT;
CREATE INDEX notes_sent_by_id ON notes_sent (external_id);
CREATE INDEX notes_sent_of ON notes_sent (entry_id);

-- What the outside told us, kept before we answered.
--     pending --> done | dead
CREATE TABLE inbox (
    id             INTEGER NOT NULL PRIMARY KEY,
    integration_id TEXT    NOT NULL REFERENCES integrations ON DELETE CASCADE,
    delivery_id    TEXT    NOT NULL,
    event_id       TEXT,
    event_type     TEXT,
    external_id    TEXT,
    incident_key   TEXT,
    body           BLOB    NOT NULL,
    received_at    INTEGER NOT NULL,
    state          TEXT    NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'done', 'dead')),
    due_at         INTEGER NOT NULL,
    attempt        INTEGER NOT NULL DEFAULT 0,
    outcome        TEXT, -- what became of it, for people
    UNIQUE (integration_id, delivery_id),
    CHECK ((state = 'pending') OR outcome IS NOT NULL)
) STRICT;
CREATE UNIQUE INDEX inbox_event ON inbox (integration_id, event_id) WHERE event_id IS NOT NULL;
CREATE INDEX inbox_open ON inbox (integration_id, id) WHERE state = 'pending';
CREATE INDEX inbox_left ON inbox (integration_id, external_id)
    WHERE state = 'done' AND outcome = 'not linked';

-- What we owe the outside: link and field, not values; those are read when they are sent.
--     (nothing owed) --owe--> pending --claim--> sending --settle--> (nothing owed)
--                                ^---put_off-------'
CREATE TABLE outbox (
    link_id      INTEGER NOT NULL REFERENCES links ON DELETE CASCADE,
    what         TEXT    NOT NULL, -- a field, 'create', or 'note:' and a timeline entry
    state        TEXT    NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'sending')),
    owed_at      INTEGER NOT NULL,
    due_at       INTEGER NOT NULL,
    handicap     INTEGER NOT NULL DEFAULT 0,
    attempt      INTEGER NOT NULL DEFAULT 0,
    leased_until INTEGER,
    last_error   TEXT,
    PRIMARY KEY (link_id, what),
    -- What is being sent holds a lease, and nothing else does.
    CHECK ((state = 'sending') = (leased_until IS NOT NULL))
) STRICT;
CREATE INDEX outbox_due ON outbox (due_at);

-- Our own writes: what we believed was there, as of when, what we wrote, and what came of it.
--     sending --> done | unknown --> done | failed
CREATE TABLE writes (
    id       INTEGER NOT NULL PRIMARY KEY,
    link_id  INTEGER NOT NULL REFERENCES links ON DELETE CASCADE,
    field    TEXT    NOT NULL,
    before   TEXT, -- NULL: nobody had looked
    as_of    INTEGER NOT NULL,
    value    TEXT    NOT NULL,
    platform TEXT    NOT NULL, -- the platform value it stands for
    edit_at  INTEGER NOT NULL, -- ... and the edit that set it
    sent_at  INTEGER NOT NULL,
    at       INTEGER, -- when it was carried out there, as far as known
    covered  TEXT    NOT NULL DEFAULT '[]', -- the edits it is known to have covered unseen
    state    TEXT    NOT NULL CHECK (state IN ('sending', 'unknown', 'done', 'failed')),
    edit_by  TEXT, -- ... and whoever made that edit, if they said so
    doubted  INTEGER NOT NULL DEFAULT 0 CHECK (doubted IN (0, 1)), -- nobody heard what became of it
    CHECK ((state = 'done') = (at IS NOT NULL))
) STRICT;
CREATE INDEX writes_of ON writes (link_id, field, id);

CREATE TABLE conflicts (
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
    quiet_until    INTEGER, -- held because it flapped: released once it has been quiet until then
    rule_owner     TEXT CHECK (rule_owner IN ('platform', 'external')), -- the rule at that time
    rule_priority  INTEGER,
    rule_strict    INTEGER CHECK (rule_strict IN (0, 1)),
    CHECK ((status = 'pending') = (resolved_at IS NULL))
) STRICT;
-- Further edits of a held field update its one conflict.
CREATE UNIQUE INDEX conflicts_pending ON conflicts (link_id, field) WHERE status = 'pending';

CREATE TABLE dead_letters (
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
CREATE INDEX dead_letters_of ON dead_letters (inbox_id) WHERE inbox_id IS NOT NULL;

-- Append-only: what was decided, when, from what, and why.
CREATE TABLE journal (
    id            INTEGER NOT NULL PRIMARY KEY,
    at            INTEGER NOT NULL,
    link_id       INTEGER NOT NULL REFERENCES links ON DELETE CASCADE,
    field         TEXT    NOT NULL,
    verdict       TEXT    NOT NULL,
    because       TEXT    NOT NULL,
    base_platform TEXT,
    base_external TEXT,
    platform      TEXT    NOT NULL,
    platform_at   INTEGER NOT NULL,
    platform_by   TEXT,
    external      TEXT,
    external_at   INTEGER,
    external_by   TEXT,
    lag           INTEGER -- ms from the edit to its arrival on the other side, where it arrived
) STRICT;
CREATE INDEX journal_of ON journal (link_id, field, id);

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

-- Declared here while nothing went out to that integration: created there once something does.
CREATE TABLE kept_back (
    integration_id TEXT    NOT NULL REFERENCES integrations ON DELETE CASCADE,
    incident_id    INTEGER NOT NULL REFERENCES incidents ON DELETE CASCADE,
    PRIMARY KEY (integration_id, incident_id)
) STRICT;

-- Declarations already made, so that asking again makes no second incident.
CREATE TABLE idempotency_keys (
    key         TEXT    NOT NULL PRIMARY KEY,
    fingerprint TEXT    NOT NULL, -- of what was asked with it
    incident_id INTEGER NOT NULL REFERENCES incidents ON DELETE CASCADE,
    created_at  INTEGER NOT NULL
) STRICT;

-- Who may speak to the API over TCP. The token itself is nowhere: it is shown once.
CREATE TABLE tokens (
    id         TEXT    NOT NULL PRIMARY KEY,
    name       TEXT    NOT NULL CHECK (name <> ''),
    hash       TEXT    NOT NULL UNIQUE, -- SHA-256 of the token
    scope      TEXT    NOT NULL CHECK (scope IN ('read', 'write', 'admin')),
    created_at INTEGER NOT NULL,
    expires_at INTEGER, -- NULL: never
    revoked_at INTEGER
) STRICT;
CREATE UNIQUE INDEX tokens_name ON tokens (name) WHERE revoked_at IS NULL;

-- Who changed how imsync works, or who may use it: only added to.
CREATE TABLE audit (
    id           INTEGER NOT NULL PRIMARY KEY,
    at           INTEGER NOT NULL,
    action       TEXT    NOT NULL CHECK (action <> ''),
    subject      TEXT    NOT NULL CHECK (subject <> ''), -- the id of what was changed
    subject_name TEXT, -- what it was called then
    changes      TEXT    NOT NULL, -- JSON, [[field, old, new]]; of a secret [field]: no value is kept
    actor        TEXT    NOT NULL CHECK (actor <> ''), -- as far as we know it
    actor_id     TEXT,
    claims       TEXT, -- who they said they were (From)
    peer         TEXT    NOT NULL CHECK (peer <> ''),
    forwarded    TEXT, -- for whom a proxy said that it asks
    request_id   TEXT
) STRICT;
CREATE INDEX audit_refused ON audit (actor_id, at) WHERE action = 'access.refused';

CREATE TRIGGER audit_is_not_edited BEFORE UPDATE ON audit BEGIN
    SELECT RAISE(ABORT, 'the audit trail is only added to');
END;
CREATE TRIGGER audit_is_not_pruned BEFORE DELETE ON audit BEGIN
    SELECT RAISE(ABORT, 'the audit trail is only added to');
END;
-- REPLACE deletes without asking the other trigger.
CREATE TRIGGER audit_is_not_replaced BEFORE INSERT ON audit
WHEN EXISTS (SELECT 1 FROM audit WHERE id = NEW.id) BEGIN
    SELECT RAISE(ABORT, 'the audit trail is only added to');
END;
