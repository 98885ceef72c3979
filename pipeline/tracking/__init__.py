"""The record of what was done: fingerprints, and runs in MLflow, written by a process of its own.
May import runtime, config, compose, dataset, schema, tables."""
