-- Nobody heard what became of it: it may be carried out late, also after the log told nothing of it.
ALTER TABLE writes ADD COLUMN doubted INTEGER NOT NULL DEFAULT 0 CHECK (doubted IN (0, 1));
