"""HTML pages that need no other file. May import nothing of the pipeline."""
