"""Training one network, or many of the same structure as a group, from the first epoch to the
last. May import runtime, config, dataset, network."""
