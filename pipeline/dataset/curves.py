"""The members of a group: what each has for itself, and all of it stacked as one."""

# What is told of each epoch.
CURVES = ("loss", "mae", "validation_loss", "validation_mae", "learning_rate")
