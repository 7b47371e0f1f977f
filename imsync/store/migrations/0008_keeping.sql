-- What refers to a row is asked for when the row is forgotten.
CREATE INDEX notes_sent_of ON notes_sent (entry_id);
CREATE INDEX dead_letters_of ON dead_letters (inbox_id) WHERE inbox_id IS NOT NULL;
