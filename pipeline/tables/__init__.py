"""From the files of a table, CSV, Parquet or Excel, to a DataFrame. May import runtime, config,
schema."""
