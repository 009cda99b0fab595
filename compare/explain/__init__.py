"""One training step, line by line: what is computed, why, and how exactly."""
