"""Formats of a verdict: causes, stories, screen, JSON, figure. They decide nothing."""
