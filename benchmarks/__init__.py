"""How fast it is, each time beside a peer in the same run."""
