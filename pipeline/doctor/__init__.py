"""What is wrong with the environment, and how to fix it: the command `python -m pipeline.doctor`.
It also has to start where packages are missing, so it imports them where it uses them. May import
runtime, tracking."""
