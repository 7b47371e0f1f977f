-- Whoever made the edit that a write stands for: people who change their minds do not flap.
ALTER TABLE writes ADD COLUMN edit_by TEXT;
