-- Of the signatures that were refused, those before the last good delivery.
ALTER TABLE integrations ADD COLUMN refused_before INTEGER NOT NULL DEFAULT 0;

-- Which subscription signs with it (NULL: given by hand), and when it goes, if it is to go.
ALTER TABLE webhook_secrets ADD COLUMN subscription_id TEXT;
ALTER TABLE webhook_secrets ADD COLUMN expires_at INTEGER;

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
