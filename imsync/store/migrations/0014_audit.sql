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
