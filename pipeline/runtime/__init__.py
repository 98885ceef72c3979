"""What all commands share: arguments and endings, the user's errors, heavy imports, complete files,
paths. May import nothing of the pipeline."""
