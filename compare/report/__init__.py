"""Formats of a verdict: screen, JSON, figure. They decide nothing."""
