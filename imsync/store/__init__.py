"""The memory: the only SQL. Plain functions of a connection."""
