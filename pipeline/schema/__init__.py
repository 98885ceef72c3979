"""What the columns of a table are, and whether rows keep to it. May import runtime, config."""
