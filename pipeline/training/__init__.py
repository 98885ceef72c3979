"""Training one network, or many of one structure as one, from the first epoch to the last. May
import runtime, config, dataset, network."""
