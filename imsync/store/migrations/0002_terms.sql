-- Where a link's incident was asked to be created: what to look through after any doubt.
ALTER TABLE links ADD COLUMN service_id TEXT;

-- A field held because it flapped is released by itself once it has been quiet until then.
ALTER TABLE conflicts ADD COLUMN quiet_until INTEGER;

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
