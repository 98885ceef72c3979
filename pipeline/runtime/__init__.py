"""What every command shares: errors for people, how a process ends, whole files, paths. May import
nothing of the pipeline."""
