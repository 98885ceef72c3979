"""From a table to a tracked, reproducible Dense regression."""
