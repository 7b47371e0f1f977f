"""The rules. Pure: nothing here waits, reads a clock, or remembers."""
