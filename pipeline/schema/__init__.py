"""The schema of a table, and checking rows against it. May import runtime, config."""
