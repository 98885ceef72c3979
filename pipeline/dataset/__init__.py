"""What passes between the stages: prepared parts and streams of rows, the encoding, names of
curves. May import runtime."""
