"""A run against the mathematics, and against another run."""
