"""Recording of results: fingerprints, and runs in MLflow, which a separate process writes.
May import runtime, compose, dataset, reporting, schema, tables."""
