"""A saved model that answers for tables, its metrics, and the figures of a run. May import
config, runtime, dataset, schema, network."""
