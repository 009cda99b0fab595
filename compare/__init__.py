"""Decide whether implementations of the network agree: see README.md."""
