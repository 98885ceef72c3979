"""From raw files to prepared parts: reading, splitting, checking, profiling, and fitting the
encoding. May import runtime, config, dataset, schema."""
