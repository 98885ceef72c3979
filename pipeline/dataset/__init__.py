"""What stages exchange: prepared parts, streams of rows, the encoding, and the names of curves.
May import runtime."""
