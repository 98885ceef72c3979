"""From the files of a table, CSV or Parquet, to a DataFrame. May import runtime, config, schema."""
