"""Searching for better values of some keys: the command `python -m pipeline.sweep`. May import
runtime, config, compose, dataset, schema, preparation, baselines, network, training, evaluation,
tracking."""
