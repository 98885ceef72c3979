"""The stages of dvc.yaml, a thin file each: read, call, write. May import runtime, config,
compose, dataset, schema, tables, preparation, baselines, network, training, evaluation,
tracking."""
