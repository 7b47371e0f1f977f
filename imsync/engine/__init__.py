"""The flows. Each reads top-down: units of work, and a loop if there is one."""
