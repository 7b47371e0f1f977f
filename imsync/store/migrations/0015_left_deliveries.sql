-- What was about an incident that was not linked is told again when it is.
CREATE INDEX inbox_left ON inbox (integration_id, external_id)
    WHERE state = 'done' AND outcome = 'not linked';
