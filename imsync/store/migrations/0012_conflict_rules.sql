-- Who owned the field when a conflict was recorded; NULL in those from before.
ALTER TABLE conflicts ADD COLUMN rule_owner TEXT CHECK (rule_owner IN ('platform', 'external'));
ALTER TABLE conflicts ADD COLUMN rule_priority INTEGER;
ALTER TABLE conflicts ADD COLUMN rule_strict INTEGER CHECK (rule_strict IN (0, 1));
