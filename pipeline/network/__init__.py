"""Dense networks in Keras: the encoder of their inputs, their layers and weights, and the folder
of a trained model. May import runtime, config, dataset."""
