"""What a model must achieve to become the champion of MLflow's registry. May import runtime,
config, dataset, schema, preparation, evaluation."""
