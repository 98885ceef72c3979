"""A Dense network in Keras: its encoder, its layers, its weights, and the folder that it is saved
in. May import runtime, config, dataset."""
