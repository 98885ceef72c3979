"""The curves of a training, by name: a value for each epoch."""

CURVES = ("loss", "mae", "validation_loss", "validation_mae", "learning_rate")
