"""Repeating a run that was recorded: the command `python -m pipeline.reproduce`. May import
runtime, compose, dataset, tracking."""
