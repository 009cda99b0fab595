"""Runs in files, and back."""
