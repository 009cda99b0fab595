"""The contract of an implementation, checked by calling it."""
