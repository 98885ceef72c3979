"""Composing conf/, params.yaml and the command line into one typed configuration with Hydra, and
explaining what is wrong with it. May import runtime, config."""
