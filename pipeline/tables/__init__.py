"""From raw files to prepared parts: reading, dividing, checking, profiling, and fitting the
encoding. May import runtime, config, dataset, schema."""
